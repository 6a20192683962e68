"""A turn that is followed while it runs, in a thread of its own, so that the page stays free."""

import threading
import time
from dataclasses import dataclass, field
from typing import Self

from primum.page.client import Audience, Client, Form, Json, Refused


@dataclass
class LiveTurn:
    """What is known of a question that was sent. One thread writes it, the page reads it."""

    question: str
    audience: Audience
    form: Form | None = None
    started: float = field(default_factory=time.monotonic)
    steps: dict[str, bool] = field(default_factory=dict)  # by name, in their order; True once finished
    titles: list[str] = field(default_factory=list)  # of the passages found
    audited: Json | None = None  # what can be read already: its text and citations
    refused: Refused | None = None  # the question was not taken, or its answer is lost
    accepted: bool = False
    _follower: threading.Thread | None = None

    @classmethod
    def start(cls, client: Client, thread: str, question: str, audience: Audience, form: Form | None = None) -> Self:
        turn = cls(question, audience, form)
        turn._follower = threading.Thread(target=turn._follow, args=(client, thread), daemon=True)
        turn._follower.start()
        return turn

    @property
    def ended(self) -> bool:
        return self._follower is None or not self._follower.is_alive()

    def join(self, timeout: float) -> None:
        """Waits for the end."""
        if self._follower:
            self._follower.join(timeout)

    @property
    def seconds(self) -> int:
        return int(time.monotonic() - self.started)

    def _follow(self, client: Client, thread: str) -> None:
        """Reads to the end of the stream: only then the answer is sure to be stored."""
        try:
            for name, data in client.ask(thread, self.question, self.audience, self.form):
                self.accepted = True
                self._take(name, data)
        except Refused as refused:
            # Once it was taken it is answered without us too; the conversation will show it.
            self.refused = None if self.accepted else refused

    def _take(self, name: str, data: Json) -> None:
        if name == "step":
            # A new dict each time: the page may be going through the old one.
            self.steps = {**self.steps, str(data["name"]): data["state"] == "finished"}
        elif name == "evidence":
            self.titles = list(dict.fromkeys(str(passage["title"]) for passage in data["passages"]))
        elif name == "audited":
            self.audited = data
