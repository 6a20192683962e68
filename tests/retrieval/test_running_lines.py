import pytest

from primum.retrieval.reading_order import Word
from primum.retrieval.running_lines import without_running_lines

HEIGHT, SIZE = 800.0, 10.0
BODY = [(float(top), f"Line {top} of the text.") for top in range(120, 700, 12)]


def words(top: float, text: str) -> list[Word]:
    """A line as words side by side; two spaces are a wide gap."""
    found, left = [], 50.0
    for part in text.split(" "):
        if part:
            right = left + 5 * len(part)
            found.append(Word(part, left, right, top, top + SIZE, SIZE, False))
        left += 5 * len(part) + (20 if not part else 3)
    return found


def kept(*pages: list[tuple[float, str]], body: list[tuple[float, str]] = BODY) -> list[set[str]]:
    """The lines of each page, given beside the body, that are its text."""
    given = [[word for line in [*page, *body] for word in words(*line)] for page in pages]
    found = without_running_lines([(HEIGHT, page) for page in given])
    told = [{word.top: " ".join(w.text for w in page if w.top == word.top) for word in page} for page in found]
    assert all({text for _, text in body} <= set(page.values()) for page in told)
    return [set(page.values()) - {text for _, text in body} for page in told]


def test_heads_feet_and_page_numbers_that_come_back_are_dropped() -> None:
    pages = [[(20.0, "Ward guideline"), (760.0, f"NICE 2026 | {number} of 5")] for number in range(1, 6)]
    assert kept(*pages) == [set()] * 5


def test_left_and_right_pages_may_have_heads_of_their_own_and_a_first_page_none() -> None:
    pages = [[(20.0, ("Gout", "Ward guideline")[number % 2])] for number in range(6)]
    assert kept([], *pages) == [set()] * 7


@pytest.mark.parametrize("top", [20.0, 760.0])
@pytest.mark.parametrize(
    "dose",
    [
        *("100 mg twice daily", "Take two tablets", "Maximum 4 g in 24 hours", "0.5 ml/kg", "INR 2.5 to 3.5 %"),
        *(
            "1 comprimido cada 8 horas",
            "500 mg c/8 h",
            "每日两次",
            "5毫克",
            "10 IU",
            "once only",
            "38.5 °C",
            "5 mmol/L",
        ),
    ],
)
def test_a_line_with_a_dose_or_another_quantity_is_never_dropped(dose: str, top: float) -> None:
    text = " ".join(dose.split())
    assert kept(*[[(top, dose)]] * 5) == [{text}] * 5


def test_lines_that_differ_in_a_number_are_different_lines() -> None:
    lines = [{"Step 1"}, {"Step 2"}, {"Step 3"}, {"Step 4"}]
    assert kept(*[[(20.0, line)] for (line,) in lines]) == lines


def test_a_number_that_does_not_count_the_pages_is_text() -> None:
    assert kept(*[[(760.0, number)] for number in ("500", "250", "2", "40")]) == [{"500"}, {"250"}, {"2"}, {"40"}]
    assert kept([(760.0, "ill")], [(760.0, "mix")], [(760.0, "i")]) == [{"ill"}, {"mix"}, {"i"}]


@pytest.mark.parametrize(
    "numbers",
    [
        *(["i", "ii", "iii", "iv"], ["7", "8", "9", "10"], ["-1-", "-2-", "-3-"], ["1/3", "2/3", "3/3"]),
        *(["Page 1 of 3", "Page 2 of 3", "Page 3 of 3"], ["Seite 9", "Seite 10", "Seite 11"], ["第1页", "第2页"]),
        *(["Gout  7", "Gout  8", "Gout  9"], ["3  Gout", "4  Gout", "5  Gout"], ["Page 1 of 1"]),
    ],
)
def test_numbers_that_count_the_pages_are_dropped(numbers: list[str]) -> None:
    assert kept(*[[(760.0, number)] for number in numbers]) == [set()] * len(numbers)


def test_a_chapters_head_goes_by_the_page_number_beside_it() -> None:
    pages = [[(20.0, f"{'Gout' if number < 4 else 'Asthma'}  {number}")] for number in range(1, 8)]
    assert kept(*pages) == [set()] * 7


def test_a_line_at_other_heights_is_text() -> None:
    tops = (15.0, 30.0, 45.0, 60.0)
    assert kept(*[[(top, "Do not crush")] for top in tops]) == [{"Do not crush"}] * 4


def test_a_line_on_few_pages_is_text() -> None:
    assert kept(*[[(20.0, "Do not crush")]] * 3, *[[]] * 5) == [{"Do not crush"}] * 3 + [set()] * 5
    assert kept(*[[(20.0, "Do not crush")]] * 2) == [{"Do not crush"}] * 2


def test_a_line_that_the_text_goes_on_from_is_text() -> None:
    body = [(float(top), f"Line {top} of the text.") for top in range(52, 700, 12)]
    assert (
        kept(*[[(40.0, "Do not crush it and"), (20.0, "Ward guideline")]] * 5, body=body)
        == [{"Do not crush it and"}] * 5
    )


def test_a_line_inside_the_page_is_text_however_often_it_comes_back() -> None:
    assert kept(*[[(95.0, "Do not crush")]] * 5) == [{"Do not crush"}] * 5
