"""What a sentence tells a reader to take, and what it warns of."""

import pytest

from primum.safety.recommends import alternatives, recommended


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("You can take ibuprofen, but avoid alcohol.", {"ibuprofen"}),
        ("Ibuprofen, 400 mg three times a day, helps.", {"ibuprofen"}),
        ("Naproxen is the best choice.", {"naproxen"}),
        ("Ibuprofen", {"ibuprofen"}),
        ("Ibuprofen is safe and will not hurt your stomach.", {"ibuprofen"}),
        ("Don't hesitate to take ibuprofen.", {"ibuprofen"}),
        ("There is no risk with ibuprofen.", {"ibuprofen"}),
        ("Ibuprofen is fine even if you take warfarin.", {"ibuprofen", "warfarin"}),
        ("Avoid paracetamol and take ibuprofen.", {"ibuprofen"}),
        ("Use paracetamol instead of ibuprofen.", {"acetaminophen"}),
        ("Paracetamol is better than ibuprofen.", {"acetaminophen"}),
        ("Do not take ibuprofen or naproxen with warfarin.", set()),
        ("Avoid ibuprofen.", set()),
        ("From about 20 weeks, ibuprofen and other NSAIDs can damage the baby's kidneys.", set()),
        ("For the pain, ibuprofen and never aspirin.", {"ibuprofen"}),
        ("Ibuprofen is not safe for you.", set()),
        ("Ibuprofen can cause bleeding with warfarin.", set()),
        ("Ask your pharmacist before you take ibuprofen.", set()),
        ("Never combine sildenafil and nitroglycerin.", set()),
        ("吃布洛芬可以止痛。", {"ibuprofen"}),
        ("不要吃布洛芬。", set()),
        ("Evite el ibuprofeno.", set()),
    ],
)
def test_what_is_advised_is_told_from_what_is_warned_of(text: str, names: set[str]) -> None:
    assert set(recommended(text)) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Gout is treated with naproxen, with colchicine, or with a short course of prednisolone.", 3),
        ("Take paracetamol, ibuprofen or aspirin.", 3),
        ("Take warfarin with paracetamol or ibuprofen.", 1),
        ("Take ibuprofen and aspirin, or neither.", 0),
        ("Take naproxen or ibuprofen together with prednisolone.", 0),
        ("Take aspirin or ibuprofen, or both.", 0),
        ("Take aspirin and/or ibuprofen.", 0),
        ("Take aspirin or ibuprofen, and aspirin again with ibuprofen at night.", 0),
        ("Take aspirin. Or take ibuprofen.", 0),
    ],
)
def test_of_a_list_joined_by_or_one_is_taken(text: str, names: int) -> None:
    assert len(alternatives(text)) == names
