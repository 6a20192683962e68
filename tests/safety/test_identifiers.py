"""Numbers that are somebody's: what their check digits prove."""

import pytest

from primum.safety.identifiers import is_dni, is_iban, is_nhs, is_resident_number, numbers, passes_luhn, phones


@pytest.mark.parametrize(
    ("right", "wrong", "check"),
    [
        ("4539148803436467", "4539148803436468", passes_luhn),
        ("GB29 NWBK 6016 1331 9268 19", "GB29 NWBK 6016 1331 9268 18", is_iban),
        ("9434765919", "9434765918", is_nhs),
        ("11010519491231002X", "110105194912310021", is_resident_number),
        ("12345678Z", "12345678A", is_dni),
        ("X1234567L", "X1234567A", is_dni),
    ],
)
def test_a_check_digit_tells_a_number_from_one_that_only_looks_like_it(right: str, wrong: str, check) -> None:  # type: ignore[no-untyped-def]
    assert check(right)
    assert not check(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "Platelets 150000 per µl",
        "Take 500 mg 3 times",
        "10000000000 CFU",
        "in 1999-2005",
        "case 3 of 12",
        "Account for 25 %",
    ],
)
def test_amounts_and_years_are_nobodys_numbers(text: str) -> None:
    assert [*numbers(text), *phones(text)] == []
