import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from primum.retrieval.duplicates import NEAR, likeness, signature

WORDS = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "lmnpr"]


def text(seed: int, size: int = 300) -> str:
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(size))


def changed(original: str, seed: int, words: int) -> str:
    chosen, parts = random.Random(seed), original.split()
    for place in chosen.sample(range(len(parts)), words):
        parts[place] = "other"
    return " ".join(parts)


def test_a_near_duplicate_shares_a_band() -> None:
    pairs = [(text(seed), changed(text(seed), seed, 4)) for seed in range(100)]
    assert all(likeness(one, other) >= NEAR for one, other in pairs)
    assert all(set(signature(one)) & set(signature(other)) for one, other in pairs)


def test_other_texts_share_none() -> None:
    signatures = [set(signature(text(seed))) for seed in range(100)]
    assert not any(one & other for one, other in pairwise(signatures))
    assert likeness(text(1), text(2)) < 0.05


def test_case_marks_and_space_do_not_count() -> None:
    assert likeness("Rest, and drink a lot.", "rest and  drink A LOT") == 1.0
    assert signature("Rest, and drink a lot.") == signature("rest and  drink A LOT")


def test_texts_that_differ_in_one_dose_are_no_duplicates() -> None:
    assert likeness(f"Take 500 mg. {text(1)}", f"Take 250 mg. {text(1)}") < NEAR
    assert likeness(f"Take 500 mg. {text(1)}", f"Take 500 mg. {text(1)} more") >= NEAR


def test_chinese_texts_are_compared_by_their_characters() -> None:
    one = "成人每次口服阿莫西林五百毫克每八小时一次餐后服用连服七天" * 3
    assert likeness(one, one + "。") == 1.0 and likeness(one, one[: len(one) // 2] + "完全不同的内容在这里") < NEAR


def test_a_signature_is_stored_so_it_stays_the_same() -> None:
    assert signature("Rest and drink a lot of water.")[:3] == [
        -8743970753019235573,
        707605283584637794,
        9086585320269500838,
    ]


@given(st.text(max_size=60))
def test_a_signature_fits_a_bigint_array(given_text: str) -> None:
    bands = signature(given_text)
    assert len(bands) in (0, 12) and all(-(2**63) <= band < 2**63 for band in bands)
    assert likeness(given_text, given_text) == (1.0 if bands else 0.0)
