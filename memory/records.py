"""A patient's chart taken along, and one brought along: FHIR R4 bundles."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from primum.memory.audit import Audit
from primum.memory.chart import Charts
from primum.memory.identity import Identity


class Records:
    """Charts as bundles; each call names whose."""

    def __init__(self, charts: Charts, audit: Audit) -> None:
        self.charts = charts
        self.audit = audit

    async def export(self, identity: Identity, actor: str = "patient") -> bytes:
        """What holds and what has ended, with its proofs, as the JSON of a bundle."""
        from primum.memory.fhir import bundle_of  # takes a second, and is seldom needed

        now = datetime.now(UTC)
        known = await self.charts.as_of(identity, now, ended=True, actor=actor)
        bundle = await asyncio.to_thread(bundle_of, [one.fact for one in known], identity.patient, now)
        await self.audit.note(identity, actor, "export facts", {"facts": [one.id for one in known]})
        return json.dumps(bundle, ensure_ascii=False, indent=2).encode()

    async def take_in(
        self, identity: Identity, bundle: Mapping[str, Any] | bytes, actor: str = "patient"
    ) -> tuple[int, list[str]]:
        """Takes in a bundle's facts; how many there were, and which resources were left out and why.

        Raises:
            BadInput: it is no FHIR R4 bundle of one patient.
        """
        from primum.memory.fhir import facts_of

        facts, left_out = await asyncio.to_thread(facts_of, bundle, datetime.now(UTC).date())
        await self.charts.take(identity, facts, "import", actor=actor)
        return len(facts), left_out
