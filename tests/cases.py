"""A library of three conditions, and the form that a scripted model fills for a case."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.pages import FRONT, Body, marker

CASE = "58-year-old man, crushing chest pain for 40 minutes, sweating, no fever, smoker, BP 92/60, on sildenafil"
PAIN = "A heart attack causes crushing chest pain that lasts more than a few minutes, with sweating"
ECG = "A heart attack is diagnosed with an ECG and a troponin blood test"
ASPIRIN = "Chew 300 mg of aspirin at once for a heart attack"
NITRATE = "Use glyceryl trinitrate spray for the chest pain of a heart attack"
FEVER = "Fever is a common symptom of pneumonia"
LUNGS = "Pneumonia causes chest pain when breathing in"

PAGES = {
    "heart-attack": (
        "Heart attack",
        f"A heart attack happens when blood to the heart is blocked.\n\n## Symptoms\n{PAIN}.\n"
        "Smoking raises the risk of a heart attack.\n\n"
        f"## Diagnosis\n{ECG}.\n\n## Treatment\n{ASPIRIN}.\n{NITRATE}.\n",
    ),
    "pneumonia": (
        "Pneumonia",
        f"Pneumonia is an infection of the lungs.\n\n## Symptoms\n{FEVER}.\n{LUNGS}.\n\n"
        "## Diagnosis\nPneumonia is diagnosed with a chest X-ray.\n\n"
        "## Treatment\nPneumonia is treated with antibiotics such as amoxicillin.\n",
    ),
    "gout": (
        "Gout",
        "Gout is a painful arthritis.\n\n## Symptoms\nGout causes sudden pain and swelling of the big toe.\n\n"
        "## Diagnosis\nGout is confirmed by crystals in fluid from the joint.\n",
    ),
}


def write_conditions(folder: Path) -> Path:
    """The pages as files."""
    for name, (title, text) in PAGES.items():
        (folder / f"{name}.md").write_text(FRONT.format(name=name, title=title, kind="condition") + text)
    return folder


def form(**given: Any) -> Callable[[Body], str]:
    """The work-up that the model fills, `«words»` being the marker of the passage that has them."""
    attack = {
        "condition": "Heart attack",
        "cant_miss": True,
        "speaks_for": [{"finding": "crushing chest pain for 40 minutes", "sentence": f"{PAIN} «crushing chest»."}],
        "speaks_against": [],
        "next_test": f"{ECG} «troponin».",
    }
    pneumonia = {
        "condition": "Pneumonia",
        "cant_miss": False,
        "speaks_for": [{"finding": "chest pain", "sentence": f"{LUNGS} «when breathing in»."}],
        "speaks_against": [{"finding": "no fever", "sentence": f"{FEVER} «Fever is a common»."}],
        "next_test": "",
    }
    filled = {
        "reasoning": "Pain, sweat and shock point to the heart.",
        "differential": [pneumonia, attack],
        "working_diagnosis": "Heart attack",
        "because": f"{PAIN} «crushing chest».",
        "investigations": [f"{ECG} «troponin»."],
        "treatment": [f"{ASPIRIN} «Chew 300 mg»."],
        "missing": ["Has he had surgery lately?"],
    }
    written = json.dumps(filled | given, ensure_ascii=False)
    return lambda request: re.sub(r"«([^»]+)»", lambda match: f"[{marker(request, match[1])}]", written)
