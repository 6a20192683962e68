"""Forms that hardly reach the blood: what is lowered, what must stay, and what is not taken for a form."""

import pytest

from primum.safety import contraindications, routes
from primum.safety.findings import SEVERITIES, Severity
from primum.safety.lexicon import canonical, classes, members, mentions
from primum.safety.profile import Profile
from primum.safety.tables import read_table
from primum.safety.validator import between, dangers, examine, named_in, taken, told

TABLET = "By mouth or as an injection it would hold in full: "

# What a text asks about, the rule that speaks, and how severe it is then.
LOWERED = [
    ("I take warfarin. Can I use ibuprofen gel?", "interaction.anticoagulant-nsaid", "moderate"),
    ("I rub diclofenac sodium 1% gel on my knee and take lisinopril.", "interaction.raas-inhibitor-nsaid", "minor"),
    ("Voltarol Emulgel with apixaban?", "interaction.anticoagulant-nsaid", "moderate"),
    ("I have asthma. May I use topical ibuprofen?", "contraindication.nsaid-asthma", "moderate"),
    ("ibuprofen gel with naproxen", "duplicate.dup-nsaid", "minor"),
    ("I have diabetes. Can I use hydrocortisone 1% cream?", "contraindication.steroid-diabetes", "minor"),
    ("steroid cream and ibuprofen", "interaction.nsaid-corticosteroid", "minor"),
    ("clotrimazole cream and warfarin", "interaction.vka-azole-antifungal", "minor"),
    ("clotrimazole vaginal cream and warfarin", "interaction.vka-azole-antifungal", "moderate"),
    ("Daktacort cream with warfarin", "interaction.vka-miconazole", "moderate"),
    ("ketoconazole shampoo and simvastatin", "interaction.ketoconazole-simvastatin", "minor"),
    ("ciprofloxacin ear drops and tizanidine", "interaction.ciprofloxacin-tizanidine", "minor"),
    ("fusidic acid cream and simvastatin", "interaction.simvastatin-fusidic-acid", "minor"),
    ("lidocaine patch and amiodarone", "interaction.antiarrhythmic-antiarrhythmic", "moderate"),
    ("Mirena and carbamazepine", "interaction.hormonal-contraceptive-antiepileptic-enzyme-inducer", "minor"),
    ("I had breast cancer. May I use vaginal estriol cream?", "contraindication.hormone-breast-cancer", "major"),
    ("gel de diclofenaco con warfarina", "interaction.anticoagulant-nsaid", "moderate"),
    ("双氯芬酸凝胶和华法林", "interaction.anticoagulant-nsaid", "moderate"),
]
FULL = [
    ("hydrocortisone cream and ritonavir", "interaction.corticosteroid-strong-cyp3a4-inhibitor", "moderate"),
    ("miconazole oral gel with warfarin", "interaction.vka-miconazole", "contraindicated"),
    ("Daktarin oral gel and warfarin", "interaction.vka-miconazole", "contraindicated"),
    ("miconazole vaginal cream with warfarin", "interaction.vka-miconazole", "contraindicated"),
    ("I have asthma. Can I use timolol eye drops?", "contraindication.betablocker-asthma", "contraindicated"),
    ("Cosopt with asthma", "contraindication.betablocker-asthma", "contraindicated"),
    ("timolol 0.5% eye drops and verapamil", "interaction.verapamil-beta-blocker", "major"),
    ("timolol eye drops and bisoprolol", "duplicate.dup-beta-blocker", "major"),
    ("methyl salicylate cream and warfarin", "interaction.vka-methyl-salicylate", "major"),
    ("Deep Heat rub and warfarin", "interaction.vka-methyl-salicylate", "major"),
    ("nitroglycerin patch and sildenafil", "interaction.nitrate-pde5-inhibitor", "contraindicated"),
    ("fentanyl patch with alcohol", "interaction.opioid-alcohol", "major"),
    ("testosterone gel and warfarin", "interaction.vka-anabolic-steroid", "moderate"),
    ("fluticasone nasal spray and ritonavir", "interaction.corticosteroid-3a4-inhaled-ritonavir", "major"),
    ("budesonide inhaler and cobicistat", "interaction.corticosteroid-3a4-inhaled-cobicistat", "major"),
    ("Seretide inhaler and itraconazole", "interaction.corticosteroid-3a4-inhaled-strong-cyp3a4-inhibitor", "major"),
    ("oxymetazoline nasal spray and phenelzine", "interaction.maoi-irreversible-sympathomimetic-indirect",
     "contraindicated"),
    ("I'm 35 weeks pregnant. Can I use ibuprofen gel?", "contraindication.nsaid-late-pregnancy", "contraindicated"),
    ("I am pregnant. Is tretinoin cream safe?", "contraindication.tretinoin-topical-pregnancy", "major"),
    ("I have glaucoma and use prednisolone eye drops", "contraindication.steroid-glaucoma", "moderate"),
]  # fmt: skip
TABLETS = [
    "I take warfarin. Can I use ibuprofen?",
    "I take ibuprofen tablets and use ibuprofen gel, with warfarin",
    "I use ibuprofen gel. Is ibuprofen safe with warfarin?",
    "ibuprofen gel caps and warfarin",
    "ibuprofen liqui-gels and warfarin",
    "ibuprofen gel or tablets with warfarin?",
    "ibuprofen 400 mg gel with warfarin",
    "I take ibuprofen, a cream for my knee and warfarin",
    "I take ibuprofen as a cream did not help, and warfarin",
    "Medicines: ibuprofen - cream E45 - warfarin",
    "I take ibuprofen with a cream for eczema, and warfarin",
    "gel capsules of ibuprofen and warfarin",
    "ibuprofen (the cream did not help) and warfarin",
    "- ibuprofen\n- cream for eczema\n- warfarin",
    "Can I use the gel with ibuprofen? I take warfarin",
    "I swallowed ibuprofen gel and take warfarin",
    "I use ibuprofen gel and also take it as tablets, and warfarin",
    "布洛芬凝胶或片剂和华法林",
]


def severity(text: str, rule: str, profile: Profile | None = None) -> Severity:
    """Of the one finding of a rule on a text."""
    (found,) = [one for one in examine(text, profile).findings if one.rule == rule]
    assert (TABLET in found.text) == (" So this counts as " in found.text)
    return found.severity


@pytest.mark.parametrize(("text", "rule", "expected"), LOWERED)
def test_a_form_that_hardly_reaches_the_blood_counts_less(text: str, rule: str, expected: str) -> None:
    assert severity(text, rule) == expected
    (finding,) = [one for one in examine(text).findings if one.rule == rule]
    assert f"So this counts as {expected} here, not " in finding.text and TABLET in finding.text
    assert "https://" in finding.source


@pytest.mark.parametrize(("text", "rule", "expected"), FULL)
def test_a_form_that_does_reach_it_counts_in_full(text: str, rule: str, expected: str) -> None:
    assert severity(text, rule) == expected
    assert TABLET not in next(one for one in examine(text).findings if one.rule == rule).text


@pytest.mark.parametrize("text", TABLETS)
def test_where_one_mention_may_be_swallowed_nothing_is_lowered(text: str) -> None:
    assert severity(text, "interaction.anticoagulant-nsaid") == "major"


def test_a_medicine_of_the_profile_without_a_form_is_swallowed() -> None:
    text, rule = "Can I use ibuprofen gel with warfarin?", "interaction.anticoagulant-nsaid"
    assert severity(text, rule) == "moderate"
    assert severity(text, rule, Profile(medicines=("ibuprofen gel",))) == "moderate"
    assert severity(text, rule, Profile(medicines=("Nurofen",))) == "major"


def test_the_form_is_kept_of_what_is_taken_and_read_from_a_profile() -> None:
    text = "I use ibuprofen gel and timolol 0.5% eye drops, and take warfarin."
    assert taken(text) == ["ibuprofen gel", "timolol eye drops", "warfarin"]
    later = told("Is that a problem?", Profile(medicines=tuple(taken(text))))
    found = {one.rule: one.severity for one in examine("Is that a problem?", later).findings}
    assert found["interaction.anticoagulant-nsaid"] == "moderate"
    asthma = Profile(medicines=("Timoptol 0.25% eye drops",), conditions=("asthma",))
    assert examine("Is that a problem?", asthma).risk_level == 3


@pytest.mark.parametrize(
    ("medicine", "names"),
    [("timolol 0.5% eye drops", ["timolol"]), ("Symbicort 100/6 inhaler", ["budesonide/formoterol"]),
     ("warfarin 5 mg and digoxin", ["warfarin", "digoxin"]), ("Zzyzxomab", ["zzyzxomab"])],
)  # fmt: skip
def test_a_profiles_medicine_is_read_as_it_is_written(medicine: str, names: list[str]) -> None:
    assert named_in(medicine) == names


def test_an_answer_may_advise_a_gel_where_it_may_not_advise_the_tablet() -> None:
    sentences = [
        "Ibuprofen gel can be used.",
        "Rub it in three times a day.",
        "Ibuprofen can be used.",
        "Take it daily.",
    ]
    gel, rub, tablet, take = dangers(sentences, Profile(medicines=("warfarin",)))
    assert (gel, rub) == ((), ()) and tablet and take
    (drops,) = dangers(["Timolol eye drops can be used."], Profile(conditions=("asthma",)))
    assert drops


def test_two_medicines_are_compared_in_their_forms() -> None:
    (finding,) = between(["warfarin", "diclofenac gel"])
    assert finding.severity == "moderate" and finding.subjects == ["diclofenac", "warfarin"]
    (unknown,) = between(["warfarin", "zzyzxomab cream"], tell_unknown=True)
    assert unknown.rule == "interaction.unknown" and unknown.severity == "info"


def test_other_findings_are_left_alone() -> None:
    profile = Profile(allergies=("ibuprofen (anaphylaxis)",))
    (allergy,) = [
        one for one in examine("Can I use ibuprofen gel?", profile).findings if one.rule.startswith("allergy")
    ]
    assert allergy.severity == "contraindicated" and TABLET not in allergy.text


def test_every_row_is_sound() -> None:
    known_terms = {term for rule in contraindications.rules() for term in routes._terms(rule.id)}
    known_terms |= {rule.id for rule in contraindications.rules()} | {"interaction", "contraindication", "duplicate"}
    known_terms |= {row["id"] for row in read_table("conditions.csv")}
    assert len({rule.id for rule in routes.rules()}) == len(routes.rules())
    for rule in routes.rules():
        assert rule.why and rule.source and rule.routes <= routes._WHERE.keys(), rule.id
        assert SEVERITIES.index(rule.most) >= SEVERITIES.index("minor"), rule.id
    for row in read_table("routes.csv"):
        for name in row["drugs"].replace("!", "").split("|"):
            assert members(name) or classes(canonical(name)) or mentions(name), f"{row['id']}: {name}"
    for rule in routes.rules():
        for term in rule.against:
            named = members(term) or classes(canonical(term)) or mentions(term)
            assert term in known_terms or named, f"{rule.id}: {term}"


def test_every_form_leads_to_a_route() -> None:
    for place, forms in routes._forms().items():
        for written, form in forms.items():
            assert form.route in routes._WHERE
            text = {"after": f"ibuprofen {written}", "before": f"{written} ibuprofen", "brand": written}[place]
            (mention, *_) = mentions(text)
            assert routes.form_of(text, mention) == (form.form, form.route), written
