import pytest

from primum.retrieval.language import language_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Take one tablet of the medicine twice a day with food.", "en"),
        ("Tome una tableta del medicamento dos veces al día con las comidas y no la mastique.", "es"),
        ("Tome um comprimido do medicamento duas vezes ao dia com as refeições e não mastigue.", "pt"),
        ("Prenez un comprimé du médicament deux fois par jour avec les repas et ne le mâchez pas.", "fr"),
        ("Nehmen Sie die Tablette zweimal am Tag mit der Mahlzeit ein und zerkauen Sie sie nicht.", "de"),
        ("成人每次口服500毫克，每8小时一次。", "zh"),
        ("阿莫西林 (amoxicillin) 500 mg, 每8小时一次, 餐后服用。", "zh"),
        ("1回500ミリグラムを8時間ごとに飲みます。", "ja"),
        ("1회 500밀리그램을 8시간마다 복용합니다.", "ko"),
        ("Amoxicillin 500 mg", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_told_by_script_and_function_words(text: str, code: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize(
    ("named", "code"),
    [("es-MX", "es"), ("zh_CN", "zh"), ("Spanish", "es"), ("spa", "es"), ("EN", "en"), ("x-none", "en")],
)
def test_what_the_document_names_comes_first(named: str, code: str) -> None:
    assert language_of("The text is of no weight in this.", named) == code
