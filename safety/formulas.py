"""Every formula and score by its name: what computes it, its unit, what its result means, and where it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, signature
from math import inf
from typing import Any, get_args

from primum.safety import calculators, scores
from primum.safety.finder import Words

Bands = tuple[tuple[float, str], ...]  # below which value a result means what, in rising order
WORDS = Words("calculations.yaml")


class MissingInput(ValueError):
    """A formula lacks values that it can't do without; `names` are theirs, the text asks for them."""

    def __init__(self, title: str, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(f"{title} also needs {', '.join(asked(name) for name in names)}")


@dataclass(frozen=True)
class Formula:
    """One way to compute something, for the people that `holds_for` names."""

    title: str
    run: Callable[..., float]
    unit: str
    source: str
    holds_for: str = ""
    means: Bands = ()

    @cached_property
    def inputs(self) -> Mapping[str, Parameter]:
        """By name; one without a default is needed, a `bool` is an item that counts as absent if it is not given."""
        return signature(self.run).parameters

    @property
    def needed(self) -> tuple[str, ...]:
        return tuple(name for name, one in self.inputs.items() if one.default is Parameter.empty)

    @property
    def items(self) -> tuple[str, ...]:
        """The inputs that are said yes or no to."""
        return tuple(name for name, one in self.inputs.items() if one.annotation is bool)

    def compute(self, given: Mapping[str, Any]) -> "Result":
        """The result for these inputs, those in other units as pint quantities.

        Raises:
            MissingInput: something needed is not among them.
            ValueError: a value is impossible, or of no unit that fits; the text names it.
        """
        used = {name: given[name] for name in self.inputs if given.get(name) is not None}
        missing = tuple(name for name in self.needed if name not in used)
        if missing:
            raise MissingInput(self.title, missing)
        for name in used:
            _check(name, used[name], self.inputs[name].annotation)
        value = self.run(**used)
        meaning = next((text for limit, text in self.means if round(value, 6) < limit), "")
        return Result(self, rounded(value), used, tuple(name for name in self.items if name not in used), meaning)


@dataclass(frozen=True)
class Result:
    """What came out, of what, which items were counted as absent, and what the source says that it means.

    `unread`: words of the question that were not understood. An absent item may stand in them: what such a result means
    is not said.
    """

    formula: Formula
    value: float
    used: Mapping[str, Any]
    absent: tuple[str, ...] = ()
    meaning: str = ""
    unread: tuple[str, ...] = ()

    @property
    def sure(self) -> bool:
        """Whether nothing was told that may be one of the items that count as absent."""
        return not (self.absent and self.unread)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is told of it: the value, what it means, what it rests on, for whom it holds, and its source."""
        one, value = self.formula, f"{self.value:g}" if abs(self.value) < 1e5 else f"{self.value:.0f}"
        unit = f" {one.unit}" if one.unit and one.unit != "%" else one.unit and " %"
        told = [f"**{one.title}: {value}{unit}**" + (f" – {self.meaning}." if self.meaning and self.sure else ".")]
        if not self.sure:
            words = ", ".join(f'"{word}"' for word in self.unread)
            told.append(
                f"**Not counted, since I can't place it in this score: {words}.** The result may be another with it, so"
                " I don't say what it means; please tell me which items it is, or that it is none."
            )
        told.append(f"From {', '.join(_shown(name, given) for name, given in self.used.items())}.")
        if self.absent:
            why = ", since nothing was said of it" if self.sure else ""
            told.append(f"Counted as absent{why}: {', '.join(map(label, self.absent))}.")
        if one.holds_for:
            told.append(f"It holds for: {one.holds_for}.")
        return (*told, f"Source: {one.source}.")


def _shown(name: str, given: Any) -> str:
    """An input with its value, as people write it."""
    if isinstance(given, bool):
        return label(name) if given else f"no {label(name)}"
    if isinstance(given, str):
        return f"{label(name)} {given}" if name != "sex" else given
    unit = str(WORDS.data["inputs"][name].get("told", "")).split(" or ")[0]
    return f"{label(name)} {round(given, 2):g}" + (f" {unit}" if unit and " to " not in unit else "")


def rounded(value: float) -> float:
    """To two decimals below 10, to one above; a whole number stays whole."""
    return value if isinstance(value, int) else round(value, 2 if abs(value) < 10 else 1)


def label(name: str) -> str:
    """An input as people call it."""
    return str(WORDS.data["inputs"][name]["label"])


def asked(name: str) -> str:
    """An input as it is asked for, with its unit."""
    row = WORDS.data["inputs"][name]
    return f"{row['label']} ({row['told']})" if "told" in row else str(row["label"])


def _check(name: str, value: Any, annotation: Any) -> None:
    """Items are true or false and choices of their list; numbers are checked by the formulas."""
    if annotation is bool and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    choices = get_args(annotation)
    if choices and all(isinstance(one, str) for one in choices) and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


_ADULTS = "adults"
_STABLE = "adults with stable kidney function"
_KIDNEY = (
    (15.0, "G5: kidney failure"), (30.0, "G4: severely decreased"), (45.0, "G3b: moderately to severely decreased"),
    (60.0, "G3a: mildly to moderately decreased"), (90.0, "G2: mildly decreased, and normal without other signs"),
    (inf, "G1: normal or high"),
)  # fmt: skip
_GRAMS = "Molar masses of creatinine (113.12) and glucose (180.16), IUPAC 2021"

FORMULAS: dict[str, Formula] = {
    "cockcroft_gault": Formula(
        "Creatinine clearance by Cockcroft and Gault", calculators.cockcroft_gault, "ml/min",
        "Cockcroft and Gault, Nephron 16:31, 1976", f"{_STABLE}; what most labels give doses by",
    ),
    "ckd_epi_2021": Formula(
        "eGFR by CKD-EPI 2021", calculators.ckd_epi_2021, "ml/min/1.73 m²",
        "Inker and others, CKD-EPI, N Engl J Med 385:1737, 2021; stages: KDIGO 2024",
        f"{_STABLE}; for the stage of kidney disease", _KIDNEY,
    ),
    "schwartz_2009": Formula(
        "eGFR of a child by the bedside Schwartz formula", calculators.schwartz_2009, "ml/min/1.73 m²",
        "Schwartz and others, J Am Soc Nephrol 20:629, 2009; stages: KDIGO 2024", "children of 1 to 18 years", _KIDNEY,
    ),
    "bmi": Formula(
        "Body mass index", calculators.bmi, "kg/m²", "World Health Organization, Technical Report 894, 2000", _ADULTS,
        ((18.5, "underweight"), (25, "normal weight"), (30, "overweight"), (35, "obesity class I"),
         (40, "obesity class II"), (inf, "obesity class III")),
    ),
    "body_surface_mosteller": Formula(
        "Body surface by Mosteller", calculators.body_surface_mosteller, "m²", "Mosteller, N Engl J Med 317:1098, 1987"
    ),
    "body_surface_du_bois": Formula(
        "Body surface by Du Bois", calculators.body_surface_du_bois, "m²",
        "Du Bois and Du Bois, Arch Intern Med 17:863, 1916",
    ),
    "ideal_body_weight": Formula(
        "Ideal body weight", calculators.ideal_body_weight_kg, "kg", "Devine, Drug Intell Clin Pharm 8:650, 1974",
        "adults from 152 cm on",
    ),
    "adjusted_body_weight": Formula(
        "Adjusted body weight", calculators.adjusted_body_weight_kg, "kg",
        "Devine, Drug Intell Clin Pharm 8:650, 1974, and 40 % of the weight above it", "adults from 152 cm on",
    ),
    "qtc_bazett": Formula(
        "QTc by Bazett", calculators.qtc_bazett_ms, "ms", "Bazett, Heart 7:353, 1920",
        "60 to 100 beats a minute; too long above",
    ),
    "qtc_fridericia": Formula(
        "QTc by Fridericia", calculators.qtc_fridericia_ms, "ms", "Fridericia, Acta Med Scand 53:469, 1920"
    ),
    "mean_arterial_pressure": Formula(
        "Mean arterial pressure", calculators.mean_arterial_pressure_mmhg, "mmHg",
        "Diastolic pressure and a third of the pulse pressure; compared by Meaney and others, Heart 84:64, 2000",
    ),
    "shock_index": Formula(
        "Shock index", calculators.shock_index, "", "Allgöwer and Burri, Dtsch Med Wochenschr 92:1947, 1967", _ADULTS,
        ((0.7, "normal (0.5 to 0.7)"), (1.0, "raised"), (inf, "1 or more: threatening shock")),
    ),
    "anion_gap": Formula(
        "Anion gap", calculators.anion_gap_mmol_l, "mmol/l",
        "Emmett and Narins, Medicine 56:38, 1977; for albumin Figge, 1998",
        means=((0, "below 0, which is rare: look for an error of measurement first"),
               (8, "below 8 to 16"), (16.01, "within 8 to 16"), (inf, "above 8 to 16")),
    ),
    "expected_pco2": Formula(
        "Expected carbon dioxide by Winters", calculators.expected_pco2_mmhg, "mmHg (± 2)",
        "Albert, Dell and Winters, Ann Intern Med 66:312, 1967", "metabolic acidosis",
    ),
    "corrected_calcium": Formula(
        "Corrected calcium", calculators.corrected_calcium_mmol_l, "mmol/l", "Payne and others, BMJ 4:643, 1973"
    ),
    "corrected_sodium_katz": Formula(
        "Corrected sodium by Katz", calculators.corrected_sodium_katz_mmol_l, "mmol/l",
        "Katz, N Engl J Med 289:843, 1973", "high glucose",
    ),
    "corrected_sodium_hillier": Formula(
        "Corrected sodium by Hillier", calculators.corrected_sodium_hillier_mmol_l, "mmol/l",
        "Hillier and others, Am J Med 106:399, 1999", "high glucose",
    ),
    "osmolality": Formula(
        "Serum osmolality", calculators.osmolality_mosm_kg, "mosm/kg",
        "Worthley and others, Anaesth Intensive Care 15:199, 1987",
        means=((275, "below 275 to 295"), (295.01, "within 275 to 295"), (inf, "above 275 to 295")),
    ),
    "sodium_excretion": Formula(
        "Fractional excretion of sodium", calculators.sodium_excretion_percent, "%", "Espinel, JAMA 236:579, 1976",
        "acute kidney injury with little urine, without diuretics",
        ((1, "below 1 %: as in a lack of blood flow to the kidney"), (3.01, "1 to 3 %: between the two"),
         (inf, "above 3 %: as in tubular damage")),
    ),
    "oxygen_ratio": Formula(
        "PaO2/FiO2", calculators.oxygen_ratio_mmhg, "mmHg", "ARDS Definition Task Force, Berlin, JAMA 307:2526, 2012",
        "with a positive end-expiratory pressure of 5 cmH2O or more",
        ((100.01, "severe, if it is ARDS"), (200.01, "moderate, if it is ARDS"), (300.01, "mild, if it is ARDS"),
         (inf, "not in the range of ARDS")),
    ),
    "fib_4": Formula(
        "FIB-4", calculators.fib_4, "", "Sterling and others, Hepatology 43:1317, 2006", "adults of 35 to 65 years",
        ((1.45, "advanced fibrosis unlikely"), (3.2501, "uncertain"), (inf, "advanced fibrosis likely")),
    ),
    "meld_3": Formula(
        "MELD 3.0", calculators.meld_3, "points", "Kim and others, Gastroenterology 161:1887, 2021",
        "adults with end-stage liver disease",
    ),
    "child_pugh": Formula(
        "Child–Pugh", scores.child_pugh, "points", "Pugh and others, Br J Surg 60:646, 1973", "cirrhosis",
        ((7, "class A"), (10, "class B"), (inf, "class C")),
    ),
    "ldl_friedewald": Formula(
        "LDL cholesterol by Friedewald", calculators.ldl_friedewald_mg_dl, "mg/dl",
        "Friedewald, Levy and Fredrickson, Clin Chem 18:499, 1972", "fasting, triglycerides up to 400 mg/dl",
    ),
    "ascvd": Formula(
        "Cardiovascular risk in ten years by the pooled cohort equations", calculators.ascvd_percent, "%",
        "Goff and others, Circulation 129:S49, 2014; categories: Arnett, ACC/AHA 2019",
        "40 to 79 years without such a disease, made in the United States",
        ((5, "low risk"), (7.5, "borderline risk"), (20, "intermediate risk"), (inf, "high risk")),
    ),
    "homa_ir": Formula(
        "HOMA-IR", calculators.homa_ir, "", "Matthews and others, Diabetologia 28:412, 1985",
        "fasting, no insulin given",
    ),
    "average_glucose_of_hba1c": Formula(
        "Average glucose of an HbA1c", calculators.estimated_average_glucose_mg_dl, "mg/dl",
        "Nathan and others (ADAG), Diabetes Care 31:1473, 2008",
    ),
    "hba1c_to_mmol_mol": Formula(
        "HbA1c in mmol/mol", calculators.hba1c_to_mmol_mol, "mmol/mol",
        "Hoelzel and others, IFCC and NGSP master equation, Clin Chem 50:166, 2004",
    ),
    "hba1c_to_percent": Formula(
        "HbA1c in per cent", calculators.hba1c_to_percent, "%",
        "Hoelzel and others, IFCC and NGSP master equation, Clin Chem 50:166, 2004",
    ),
    "creatinine_to_mg_dl": Formula("Creatinine in mg/dl", calculators.creatinine_to_mg_dl, "mg/dl", _GRAMS),
    "creatinine_to_umol_l": Formula("Creatinine in µmol/l", calculators.creatinine_to_umol_l, "µmol/l", _GRAMS),
    "glucose_to_mg_dl": Formula("Glucose in mg/dl", calculators.glucose_to_mg_dl, "mg/dl", _GRAMS),
    "glucose_to_mmol_l": Formula("Glucose in mmol/l", calculators.glucose_to_mmol_l, "mmol/l", _GRAMS),
    "cha2ds2_vasc": Formula(
        "CHA2DS2-VASc", scores.cha2ds2_vasc, "points",
        "Lip and others, Chest 137:263, 2010; treatment: Hindricks, ESC 2020",
        "atrial fibrillation without valve disease",
        ((1, "0: low risk"),
         (2, "1: low risk for a woman; for a man anticoagulation should be considered"),
         (3, "2: anticoagulation should be considered for a woman, and is recommended for a man"),
         (inf, "3 or more: anticoagulation is recommended")),
    ),
    "has_bled": Formula(
        "HAS-BLED", scores.has_bled, "points", "Pisters and others, Chest 138:1093, 2010", "atrial fibrillation",
        ((3, "below 3: no high risk of bleeding"),
         (inf, "3 or more: high risk of bleeding; look for what can be mended")),
    ),
    "wells_dvt": Formula(
        "Wells score for deep vein thrombosis", scores.wells_dvt, "points",
        "Wells and others, N Engl J Med 349:1227, 2003", "outpatients",
        ((2, "deep vein thrombosis unlikely"), (inf, "deep vein thrombosis likely")),
    ),
    "wells_pe": Formula(
        "Wells score for pulmonary embolism", scores.wells_pe, "points",
        "Wells and others, Thromb Haemost 83:416, 2000", _ADULTS,
        ((4.01, "pulmonary embolism unlikely"), (inf, "pulmonary embolism likely")),
    ),
    "perc": Formula(
        "PERC", scores.perc, "criteria not met", "Kline and others, J Thromb Haemost 2:1247, 2004",
        "adults whose doctor thinks an embolism unlikely (below 15 %)",
        ((1, "embolism ruled out, if it was unlikely before"), (inf, "embolism not ruled out by this rule")),
    ),
    "curb_65": Formula(
        "CURB-65", scores.curb_65, "points", "Lim and others, Thorax 58:377, 2003",
        "adults with pneumonia from outside hospital",
        ((2, "low risk of death (1.5 %)"), (3, "intermediate risk of death (9.2 %)"),
         (inf, "high risk of death (22 %)")),
    ),
    "qsofa": Formula(
        "qSOFA", scores.qsofa, "points", "Singer and others (Sepsis-3), JAMA 315:801, 2016", "adults with an infection",
        ((2, "below 2: not high, which does not rule sepsis out"), (inf, "2 or more: high risk of a poor outcome")),
    ),
    "news2": Formula(
        "NEWS2", scores.news2, "points", "Royal College of Physicians, National Early Warning Score (NEWS) 2, 2017",
        "16 years or more, not pregnant, scale 1",
        ((5, "low, unless a single sign has 3 points"), (7, "medium: urgent review"), (inf, "high: emergency review")),
    ),
    "centor": Formula(
        "Centor score by McIsaac", scores.centor, "points", "McIsaac and others, CMAJ 158:75, 1998",
        "sore throat, from 3 years on",
        ((1, "streptococci in 1 to 2.5 %"), (2, "streptococci in 5 to 10 %"), (3, "streptococci in 11 to 17 %"),
         (4, "streptococci in 28 to 35 %"), (inf, "streptococci in 51 to 53 %")),
    ),
    "glasgow": Formula(
        "Glasgow Coma Scale", scores.glasgow, "points", "Teasdale and Jennett, Lancet 2:81, 1974", "",
        ((9, "severe (3 to 8)"), (13, "moderate (9 to 12)"), (inf, "mild (13 to 15)")),
    ),
    "apgar": Formula(
        "Apgar score", scores.apgar, "points", "Apgar, Curr Res Anesth Analg 32:260, 1953; words: ACOG and AAP 2015",
        "newborns", ((4, "low"), (7, "moderately abnormal"), (inf, "reassuring")),
    ),
    "abcd2": Formula(
        "ABCD2", scores.abcd2, "points", "Johnston and others, Lancet 369:283, 2007", "after a TIA",
        ((4, "low risk (1.0 % in two days)"), (6, "moderate risk (4.1 % in two days)"),
         (inf, "high risk (8.1 % in two days)")),
    ),
    "cardiac_risk": Formula(
        "Revised Cardiac Risk Index", scores.cardiac_risk, "points", "Lee and others, Circulation 100:1043, 1999",
        "operations other than of the heart",
        ((1, "class I: 0.4 % major complications"), (2, "class II: 0.9 % major complications"),
         (3, "class III: 6.6 % major complications"), (inf, "class IV: 11 % major complications")),
    ),
    "alvarado": Formula(
        "Alvarado score", scores.alvarado, "points", "Alvarado, Ann Emerg Med 15:557, 1986", "suspected appendicitis",
        ((5, "appendicitis less likely"), (7, "compatible with appendicitis"), (9, "appendicitis probable"),
         (inf, "appendicitis very probable")),
    ),
    "blatchford": Formula(
        "Glasgow-Blatchford score", scores.blatchford, "points", "Blatchford and others, Lancet 356:1318, 2000",
        "bleeding of the upper gut",
        ((1, "0: treatment in hospital seldom needed"), (inf, "above 0: treatment in hospital may be needed")),
    ),
    "pack_years": Formula(
        "Pack-years", calculators.pack_years, "pack-years",
        "National Cancer Institute, Dictionary of Cancer Terms, 2011",
    ),
    "weight_of_child": Formula(
        "Weight expected of a child", calculators.weight_of_child_kg, "kg",
        "Advanced Paediatric Life Support, 5th edition, 2011", "up to 12 years, where weighing is not possible",
    ),
    "maintenance_fluid": Formula(
        "Maintenance fluid a day", calculators.maintenance_fluid_ml_day, "ml/day",
        "Holliday and Segar, Pediatrics 19:823, 1957; most in a day: NICE NG29, 2015 (updated 2020), 1.4",
        "children beyond the first weeks of life",
        ((2000.01, ""), (2500.01, "in a day girls rarely need more than 2000 ml"),
         (inf, "in a day boys rarely need more than 2500 ml and girls than 2000 ml")),
    ),
    "burn_fluid": Formula(
        "Fluid of the first 24 hours after a burn (Parkland)", calculators.burn_fluid_ml, "ml",
        "Baxter and Shires, Ann N Y Acad Sci 150:874, 1968",
        "burns deeper than the outer skin; Ringer's lactate, half of it in the first 8 hours",
    ),
    "dose_by_weight": Formula(
        "Dose for the weight", calculators.dose_by_weight_mg, "mg", "Milligrams a kilogram times kilograms",
        "any medicine given by weight; whether this dose suits is not said",
    ),
}  # fmt: skip
