import pytest

from primum.evals.metrics import beyond_chance, bootstrap, calibration, paired


def test_the_interval_of_a_mean_holds_it_and_is_the_same_each_time() -> None:
    values = [1.0] * 30 + [0.0] * 70
    found = bootstrap(values)
    assert found is not None
    assert found["mean"] == 0.3
    # The normal approximation gives 0.21 to 0.39.
    assert found["low"] == pytest.approx(0.21, abs=0.02)
    assert found["high"] == pytest.approx(0.39, abs=0.02)
    assert bootstrap(values) == found


def test_more_cases_make_the_interval_narrower() -> None:
    few, many = bootstrap([0.0, 1.0] * 10), bootstrap([0.0, 1.0] * 1000)
    assert few is not None
    assert many is not None
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 5


def test_nothing_has_no_mean() -> None:
    assert bootstrap([]) is None
    assert paired([], []) is None
    assert calibration([], []) is None


def test_a_difference_is_taken_case_by_case() -> None:
    before = [float(n % 10) for n in range(100)]
    found = paired(before, [value + 0.1 + 0.01 * (n % 3) for n, value in enumerate(before)])
    assert found is not None
    assert found["mean"] == pytest.approx(0.11, abs=0.005)
    assert beyond_chance(found)  # unpaired, it would drown in the spread of the cases
    assert found["better"] == 100
    assert found["p_value"] < 0.001


def test_no_difference_is_not_beyond_chance() -> None:
    found = paired([0.0, 1.0] * 50, [1.0, 0.0] * 50)
    assert found is not None
    assert found["mean"] == 0
    assert not beyond_chance(found)
    assert found["p_value"] > 0.5


def test_cases_that_only_one_side_has_are_refused() -> None:
    with pytest.raises(ValueError, match="2 cases before and 1 after"):
        paired([1.0, 0.0], [1.0])


def test_who_is_right_as_often_as_they_are_sure_is_calibrated() -> None:
    calm = calibration([0.75] * 100, [True] * 75 + [False] * 25)
    proud = calibration([0.99] * 100, [True] * 50 + [False] * 50)
    assert calm is not None
    assert proud is not None
    assert calm["ece"] == 0
    assert proud["ece"] == 0.49
    assert proud["bins"] == [{"n": 100, "confidence": 0.99, "right": 0.5}]


def test_of_a_few_cases_nothing_is_beyond_chance() -> None:
    assert not beyond_chance(paired([0.0] * 3, [1.0] * 3))
    assert beyond_chance(paired([0.0] * 12, [1.0] * 12))
