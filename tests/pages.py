"""A library of five small pages, and the settings of an agent that reads it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Body = dict[str, Any]

FRONT = """---
title: {title}
kind: {kind}
sources:
  - title: {title}
    publisher: NHS
    url: https://www.nhs.uk/{name}/
reviewed: 2026-11-01
---
# {title}

"""

PAGES = {
    "diabetes-type-2": (
        "Type 2 diabetes",
        "condition",
        """Type 2 diabetes is a common condition in which the level of sugar in the blood becomes too high.

## Symptoms
The symptoms of type 2 diabetes are feeling very thirsty, passing urine often and feeling tired.
Many people with type 2 diabetes have no symptoms at first.

## Diagnosis
Type 2 diabetes is diagnosed with an HbA1c blood test of 48 mmol/mol (6.5%) or above.

## Treatment
Metformin is usually the first medicine for type 2 diabetes.
Metformin does not cause weight gain.

## When to get medical help
See a doctor if you feel very thirsty and pass urine more often than usual.
""",
    ),
    "paracetamol": (
        "Paracetamol",
        "medicine",
        """Paracetamol (acetaminophen) is a medicine for mild to moderate pain and for fever.

## Dose
Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to 4 g in 24 hours.
Leave at least 4 hours between doses of paracetamol.

## Dose for children
Children aged 6 to 8 years can take 250 mg of paracetamol up to 4 times in 24 hours.

## Warnings
Too much paracetamol can damage the liver, even if you feel well.
Paracetamol can be taken in pregnancy at the lowest dose that works.

## When to get medical help
Call an ambulance at once if someone has taken too much paracetamol.
""",
    ),
    "ibuprofen": (
        "Ibuprofen",
        "medicine",
        """Ibuprofen is an anti-inflammatory medicine for pain, swelling and fever.

## In pregnancy
Ibuprofen is not recommended in pregnancy, least of all from 20 weeks, unless a doctor prescribes it.
From 20 weeks of pregnancy ibuprofen can harm the kidneys of the baby.

## Side effects
Ibuprofen can irritate the stomach and cause ulcers.
Taking ibuprofen with food lowers the risk of an upset stomach.
""",
    ),
    "asthma-children": (
        "Asthma in children",
        "child",
        """Asthma in children is a long-term condition of the airways that causes cough and wheeze.

## Treatment
Children with asthma are treated with a steroid inhaler every day to prevent attacks.
A reliever inhaler with salbutamol (albuterol) opens the airways within minutes.

## When to get medical help
Call your local emergency number if a child is too breathless to speak, eat or drink.
""",
    ),
    "gout": (
        "Gout",
        "condition",
        """Gout is a painful arthritis that is caused by crystals of uric acid.

## Treatment
Ibuprofen or colchicine treats an attack of gout.
Allopurinol lowers the level of uric acid and prevents attacks of gout.
""",
    ),
}


def write_pages(folder: Path) -> Path:
    """The pages as files."""
    for name, (title, kind, text) in PAGES.items():
        (folder / f"{name}.md").write_text(FRONT.format(name=name, title=title, kind=kind) + text)
    return folder


def cited(text: str) -> Callable[[Body], str]:
    """A reply in which `[words]` became the marker of the passage of the request that has these words."""

    def reply(request: Body) -> str:
        return re.sub(r"\[([^\]\d][^\]]*)\]", lambda match: f"[{marker(request, match[1])}]", text)

    return reply


def marker(request: Body, words: str) -> int:
    """The number under which a request's prompt shows the passage that has these words."""
    prompt = request["messages"][1]["content"].partition("\nQUESTION\n")[0]
    passages = re.split(r"\n\[(\d+)\] ", prompt)[1:]
    return next(int(number) for number, text in zip(passages[::2], passages[1::2], strict=True) if words in text)
