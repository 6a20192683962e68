"""Pairs that must be found, pairs that must not be called dangerous, and what is said of those unknown."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety.importers import Imported, write_rows
from primum.safety.interactions import Rule, check, imported_version, pair, rules, sources, unknown, using
from primum.safety.lexicon import canonical, members, mentions

ANSM = Path(__file__).parents[2] / ".." / "shared" / "data" / "interactions" / "ansm_drug_drug.jsonl"
CONTRAINDICATED = [rule for rule in rules() if rule.severity == "contraindicated"]
BRANDS = {
    "warfarin": "Coumadin", "simvastatin": "Zocor", "clarithromycin": "Biaxin", "sildenafil": "Viagra",
    "nitroglycerin": "GTN spray", "methotrexate": "MTX", "fluoxetine": "Prozac", "sertraline": "Zoloft",
    "linezolid": "Zyvox", "digoxin": "Lanoxin", "cyclosporine": "Neoral", "tizanidine": "Zanaflex",
    "rifampin": "rifampicin", "ergotamine": "Cafergot", "st. john's wort": "hypericum", "amiodarone": "Cordarone",
    "phenelzine": "Nardil", "ciprofloxacin": "Cipro", "itraconazole": "Sporanox", "tadalafil": "Cialis",
}  # fmt: skip

FOUND = [
    ("sildenafil", "nitroglycerin", "contraindicated"), ("Viagra", "GTN spray", "contraindicated"),
    ("riociguat", "isosorbide mononitrate", "contraindicated"), ("phenelzine", "sertraline", "contraindicated"),
    ("linezolid", "fluoxetine", "contraindicated"), ("meperidine", "selegiline", "contraindicated"),
    ("tranylcypromine", "pseudoephedrine", "contraindicated"), ("simvastatin", "clarithromycin", "contraindicated"),
    ("colchicine", "clarithromycin", "contraindicated"), ("methotrexate", "trimethoprim", "contraindicated"),
    ("methotrexate", "Bactrim", "contraindicated"), ("azathioprine", "febuxostat", "contraindicated"),
    ("ergotamine", "ritonavir", "contraindicated"), ("sumatriptan", "dihydroergotamine", "contraindicated"),
    ("pimozide", "fluconazole", "contraindicated"), ("domperidone", "ketoconazole", "contraindicated"),
    ("meropenem", "sodium valproate", "contraindicated"), ("isotretinoin", "doxycycline", "contraindicated"),
    ("ramipril", "Entresto", "contraindicated"), ("tizanidine", "ciprofloxacin", "contraindicated"),
    ("gemfibrozil", "repaglinide", "contraindicated"), ("cyclosporine", "rosuvastatin", "contraindicated"),
    ("ivabradine", "verapamil", "contraindicated"), ("spironolactone", "potassium", "contraindicated"),
    ("disulfiram", "alcohol", "contraindicated"), ("yellow fever vaccine", "azathioprine", "contraindicated"),
    ("rilpivirine", "omeprazole", "contraindicated"), ("Biktarvy", "rifampicin", "contraindicated"),
    ("Paxlovid", "amiodarone", "contraindicated"), ("tamsulosin", "ketoconazole", "major"),
    ("warfarin", "ibuprofen", "major"), ("apixaban", "naproxen", "major"), ("warfarin", "metronidazole", "major"),
    ("warfarin", "fluconazole", "major"), ("tamoxifen", "paroxetine", "major"), ("morphine", "diazepam", "major"),
    ("oxycodone", "alcohol", "major"), ("tramadol", "sertraline", "major"), ("lithium", "ibuprofen", "major"),
    ("lithium", "lisinopril", "major"), ("lithium", "hydrochlorothiazide", "major"),
    ("digoxin", "amiodarone", "major"),
    ("lisinopril", "spironolactone", "major"), ("ramipril", "losartan", "major"),
    ("clopidogrel", "omeprazole", "major"),
    ("tacrolimus", "clarithromycin", "major"), ("verapamil", "bisoprolol", "major"),
    ("ethinyl estradiol", "carbamazepine", "major"), ("lamotrigine", "valproate", "major"),
    ("theophylline", "ciprofloxacin", "major"), ("clozapine", "fluvoxamine", "major"),
    ("sotalol", "moxifloxacin", "contraindicated"), ("grapefruit", "simvastatin", "major"),
    ("levothyroxine", "iron", "moderate"), ("ciprofloxacin", "milk", "moderate"),
    ("华法林", "布洛芬", "major"), ("warfarina", "ibuprofeno", "major"),
    ("blood thinners", "NSAIDs", "major"), ("statins", "gemfibrozil", "major"),
    ("SSRIs", "phenelzine", "contraindicated"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "severity"), FOUND)
def test_known_interactions_are_found_in_either_order(a: str, b: str, severity: str) -> None:
    names = [mention.name for mention in mentions(f"{a}; {b}")] or [a, b]
    names = names if len(names) == 2 else [a, b]
    (finding,) = check(names)
    assert finding.severity == severity
    assert check(names[::-1]) == (finding,)


SAFE = [
    "acetaminophen ibuprofen", "metformin ramipril", "amlodipine atorvastatin", "amoxicillin acetaminophen",
    "metformin atorvastatin", "lisinopril atorvastatin", "amlodipine ramipril", "omeprazole amoxicillin",
    "levothyroxine metformin", "sertraline acetaminophen", "cetirizine acetaminophen", "losartan amlodipine",
    "bisoprolol ramipril", "aspirin atorvastatin", "aspirin bisoprolol", "aspirin ramipril", "clopidogrel aspirin",
    "metformin sitagliptin", "metformin empagliflozin", "metformin gliclazide", "insulin metformin",
    "amoxicillin clavulanic_acid", "prednisone omeprazole", "albuterol budesonide", "montelukast cetirizine",
    "levothyroxine lisinopril", "furosemide lisinopril", "furosemide bisoprolol", "hydrochlorothiazide losartan",
    "gabapentin acetaminophen", "warfarin acetaminophen", "apixaban bisoprolol", "apixaban atorvastatin",
    "folic_acid methotrexate", "pantoprazole clopidogrel", "codeine acetaminophen", "salmeterol fluticasone",
    "latanoprost metformin", "tamsulosin finasteride", "doxycycline acetaminophen", "cephalexin ibuprofen",
    "levodopa rasagiline", "levodopa domperidone", "lopinavir ritonavir", "darunavir ritonavir",
    "tenofovir emtricitabine", "sertraline omeprazole", "rosuvastatin ezetimibe", "naloxone buprenorphine",
    "ethinyl_estradiol amoxicillin", "ibuprofen omeprazole", "hydroxychloroquine methotrexate",
    "levetiracetam lamotrigine", "isoniazid rifampin",
]  # fmt: skip


@pytest.mark.parametrize("names", SAFE)
def test_common_combinations_are_not_called_contraindicated(names: str) -> None:
    a, b = (name.replace("_", " ") for name in names.split())
    finding = pair(a, b)
    assert finding is None or finding.severity != "contraindicated", finding


def written(name: str, brand: bool) -> str:
    return BRANDS.get(name, name) if brand else name


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CONTRAINDICATED), st.booleans(), st.booleans(), st.data())
def test_each_contraindicated_pair_is_found_in_any_order_by_brand_or_generic(
    rule: Rule, brand: bool, swap: bool, data: st.DataObject
) -> None:
    a = data.draw(st.sampled_from(sorted(members(rule.a) or {rule.a})))
    b = data.draw(st.sampled_from(sorted(members(rule.b) or {rule.b})))
    if canonical(a) == canonical(b):
        return
    names = [written(a, brand), written(b, brand)]
    (finding,) = check(names[::-1] if swap else names)
    assert finding.severity == "contraindicated"
    assert set(finding.subjects) == {canonical(a), canonical(b)}


def test_a_finding_says_what_happens_what_to_do_and_where_it_stands() -> None:
    finding = pair("warfarin", "ibuprofen")
    assert finding is not None
    assert finding.rule == "interaction.anticoagulant-nsaid"
    assert finding.subjects == ["ibuprofen", "warfarin"]
    assert "Bleeding" in finding.text
    assert "Acetaminophen" in finding.text
    assert "https://" in finding.source


def test_where_sources_differ_the_more_severe_counts_and_both_are_told() -> None:
    finding = pair("metronidazole", "alcohol")
    assert finding is not None
    assert finding.severity == "contraindicated"
    assert "Sources differ" in finding.text
    assert "British National Formulary" in finding.source


def test_what_holds_for_some_of_a_class_names_them_and_is_at_most_major() -> None:
    finding = pair("statin", "itraconazole")
    assert finding is not None
    assert finding.severity == "major"
    assert "for some of them: lovastatin, simvastatin" in finding.text


def test_one_substance_or_a_class_and_its_member_are_no_pair() -> None:
    assert check(["ibuprofen", "Nurofen", "nsaid"], tell_unknown=True) == ()
    assert check(["tenofovir disoproxil", "Truvada"]) == ()


def test_unknown_pairs_are_told_only_when_asked_and_never_called_safe() -> None:
    assert check(["zzyzxomab", "warfarin"]) == ()
    (finding,) = check(["zzyzxomab", "warfarin"], tell_unknown=True)
    assert finding == unknown("zzyzxomab", "warfarin")
    assert finding.severity == "info"
    assert "not found in Primum's table" in finding.text
    assert "ask a pharmacist" in finding.text.lower()
    assert "safe" not in finding.text.lower()


def test_ten_substances_give_the_findings_of_their_pairs_the_most_severe_first() -> None:
    ten = ["warfarin", "ibuprofen", "simvastatin", "clarithromycin", "amlodipine",
           "sertraline", "tramadol", "digoxin", "lithium", "ramipril"]  # fmt: skip
    found = check(ten)
    assert found[0].severity == "contraindicated"
    assert len(found) == sum(pair(a, b) is not None for a, b in combinations(ten, 2))


def test_each_rule_has_its_own_id_and_known_sources() -> None:
    assert len(rules()) >= 400
    assert len({rule.id for rule in rules()}) == len(rules())
    assert all(rule.mechanism and rule.advice and rule.sources for rule in rules())
    assert all(set(rule.sources) <= sources().keys() for rule in rules())


def test_most_contraindicated_pairs_of_the_ansm_thesaurus_are_found() -> None:
    if not ANSM.exists():
        pytest.skip("the ANSM pairs are not on this machine")
    read = [json.loads(line) for line in ANSM.read_text(encoding="utf-8").splitlines()]
    pairs = {(row["drug_a"], row["drug_b"]) for row in read if row["severity"] == "contraindicated"}
    known = [(a, b) for a, b in pairs if mentions(a) and mentions(b)]
    severe = [finding for a, b in known if (finding := pair(a, b)) and finding.severity in ("contraindicated", "major")]
    assert len(known) >= 100
    assert len(severe) >= 0.9 * len(known)


BRANDED = [
    ("Inderal", "propranolol"), ("Combivir", "lamivudine/zidovudine"), ("Cosopt", "dorzolamide/timolol"),
    ("Duragesic", "fentanyl"), ("Malarone", "atovaquone/proguanil"), ("Flector", "diclofenac"),
    ("timolol eye drops", "timolol"), ("Maalox", "aluminum hydroxide/magnesium hydroxide"),
    ("Deep Heat", "methyl salicylate"), ("Aldactazide", "spironolactone/hydrochlorothiazide"),
    ("Dulera", "mometasone/formoterol"), ("anabolic steroids", "anabolic-steroid"), ("steroids", "corticosteroid"),
    ("HRT", "estrogen"), ("蜂蜜", "honey"), ("Salonpas", "methyl salicylate"),
    ("nicotine patch", "nicotine replacement"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "name"), BRANDED)
def test_a_brand_or_a_form_leads_to_the_substance_that_the_rules_know(written: str, name: str) -> None:
    assert canonical(written) == name
    assert [one.name for one in mentions(f"Is {written} good for me?")] == [name]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("adenosine and dipyridamole", ["adenosine", "dipyridamole"]),
        ("niacin, gelatin and honey", ["niacin", "gelatin", "honey"]),
        ("honey-coloured crusts on the face", []),
        ("adenosine triphosphate is a molecule", []),
        ("high progesterone levels", []),
        ("a nasal spray and eye drops", []),
    ],
)
def test_names_are_found_where_they_are_medicines(text: str, names: list[str]) -> None:
    assert [one.name for one in mentions(text)] == names


@pytest.mark.parametrize(
    ("a", "b", "severity"),
    [
        ("Deep Heat", "warfarin", "major"),
        ("methyl salicylate", "apixaban", "moderate"),
        ("adenosine", "Persantine", "major"),
        ("echinacea", "azathioprine", "moderate"),
        ("Inderal", "verapamil", "major"),
        ("HRT", "tranexamic acid", "major"),
    ],
)
def test_what_the_new_names_do_together(a: str, b: str, severity: str) -> None:
    finding = pair(a, b)
    assert finding is not None and finding.severity == severity


def row(a: str, b: str, severity: str, text: str = "From the file.") -> Imported:
    return Imported(a, b, severity, text, "Some table", "CC BY 4.0")  # type: ignore[arg-type]


def test_imported_rows_add_pairs_and_the_more_severe_counts(tmp_path: Path) -> None:
    both = [row("zzyzxomab", "warfarin", "major"), row("ramipril", "amlodipine", "major", "")]
    write_rows([*both, row("ibuprofen", "warfarin", "minor")], tmp_path / "some.csv")
    before = check(["ibuprofen", "warfarin"])
    with using(tmp_path):
        (finding,) = check(["Coumadin", "zzyzxomab"])
        assert (finding.rule, finding.severity) == ("interaction.imported", "major")
        assert finding.text == "Warfarin with zzyzxomab (major): Some table (CC BY 4.0): major. From the file."
        assert finding.source == "Some table (CC BY 4.0)"
        (raised,) = check(["ramipril", "amlodipine"])
        assert (
            raised.severity == "major"
            and "Sources differ: Some table (CC BY 4.0): major, without a reason." in raised.text
        )
        (kept,) = check(["ibuprofen", "warfarin"])
        assert kept.severity == "major" and kept.text.startswith(before[0].text)
        assert "Apache-2.0" in kept.source and "Some table (CC BY 4.0)" in kept.source
    assert check(["Coumadin", "zzyzxomab"]) == () and check(["ibuprofen", "warfarin"]) == before


def test_an_imported_row_on_a_class_holds_for_its_members_and_the_reverse(tmp_path: Path) -> None:
    write_rows(
        [row("zzyzxomab", "nsaid", "major"), row("zzyzxomab", "simvastatin", "contraindicated")], tmp_path / "a.csv"
    )
    with using(tmp_path):
        assert check(["zzyzxomab", "Nurofen"])[0].severity == "major"
        (finding,) = check(["zzyzxomab", "statin"])
        assert finding.severity == "major" and "for some of them: simvastatin" in finding.text


def test_of_several_rows_of_one_source_the_most_severe_is_told(tmp_path: Path) -> None:
    rows = [row("zzyzxomab", "warfarin", "minor", "Mild."), row("zzyzxomab", "warfarin", "major", "x " * 900)]
    write_rows([*rows, Imported("warfarin", "zzyzxomab", "info", "", "Other", "terms")], tmp_path / "a.csv")
    with using(tmp_path):
        (finding,) = check(["zzyzxomab", "warfarin"])
    assert "Mild." not in finding.text and len(finding.text) < 600
    assert finding.source == "Some table (CC BY 4.0); Other (terms)"


def test_the_version_changes_with_any_row_and_only_then(tmp_path: Path) -> None:
    versions = []
    for severity in ("minor", "major", "minor"):
        write_rows([row("zzyzxomab", "warfarin", severity)], tmp_path / "some.csv")
        with using(tmp_path):
            versions.append(imported_version())
    assert versions[0] == versions[2] != versions[1] and imported_version() == ""


def test_two_that_want_the_same_rows_share_them_and_others_are_refused(tmp_path: Path) -> None:
    write_rows([row("zzyzxomab", "warfarin", "minor")], tmp_path / "some.csv")
    with using(tmp_path):
        with using(tmp_path):
            pass
        assert check(["zzyzxomab", "warfarin"])
        with pytest.raises(ValueError, match="other imported interactions"), using(None):
            pass
    with using(None):
        assert not check(["zzyzxomab", "warfarin"])


@pytest.mark.parametrize("files", [{}, {"notes.txt": "a,b"}])
def test_a_folder_without_rows_is_an_error_and_no_silence(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="no imported interactions"), using(tmp_path):
        pass


def test_a_damaged_table_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    write_rows([row("zzyzxomab", "warfarin", "minor")], tmp_path / "good.csv")
    (tmp_path / "bad.csv").write_text("a,b,severity,text,source,licence\na,b,major,t,s,l\na,b,deadly,t,s,l\n")
    with pytest.raises(ValueError, match=r"bad.csv, line 3: severity 'deadly'"), using(tmp_path):
        pass
    assert imported_version() == ""
