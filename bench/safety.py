"""Time of the safety rules on messages of about a hundred words. Prints JSON.

    python -m bench.safety [--times 300]

Two things in one run: triage alone, and the whole report. No text comes twice, so that no cache answers.
"""

import argparse
import json
from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter

from primum.safety.profile import Profile
from primum.safety.red_flags import assess
from primum.safety.validator import examine

PARTS = (
    "I am {n} years old and have had a cough and a runny nose for {n} days, with a slight fever in the evenings.",
    "My father had a stroke in 19{n}, and my doctor says that my own blood pressure of 1{n}/80 is fine.",
    "I take metformin 500 mg twice a day, ramipril {m} mg in the morning and atorvastatin 20 mg at night.",
    "There is no chest pain and no trouble breathing, but I feel tired after climbing {m} flights of stairs.",
    "Could I take ibuprofen 400 mg three times a day for the sore throat, or is paracetamol better for visit {n}?",
    "I had a rash after penicillin when I was {m}; my sister is allergic to peanuts, and my son has asthma.",
)


def message(number: int) -> str:
    return " ".join(PARTS).format(n=20 + number % 70, m=number)


def milliseconds(work: Callable[[str], object], times: int, offset: int) -> dict[str, float]:
    took = []
    for number in range(times + 10):
        text = message(offset + number)
        started = perf_counter()
        work(text)
        took.append((perf_counter() - started) * 1000)
    took = took[10:]
    return {"p50_ms": round(median(took), 2), "p95_ms": round(quantiles(took, n=100)[94], 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    profile = Profile(age=60, allergies=("penicillin",), medicines=("warfarin",), conditions=("asthma",))
    figures = {
        "words": len(message(0).split()),
        "triage": milliseconds(lambda text: assess(text, profile), times, 0),
        "report": milliseconds(lambda text: examine(text, profile), times, 10_000),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
