"""What is known of the person that a question is about. What is not known is None or empty, never assumed."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Sex = Literal["female", "male"]


class Profile(BaseModel):
    """The facts that the rules read. `primum check --profile FILE` takes it as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    age: float | None = Field(None, ge=0, le=130, description="years; 0.25 is three months")
    sex: Sex | None = None
    weight_kg: float | None = Field(None, gt=0, le=650)
    height_cm: float | None = Field(None, gt=0, le=280)
    pregnant: bool | None = None
    weeks_pregnant: float | None = Field(None, ge=0, le=45)
    breastfeeding: bool | None = None
    allergies: tuple[str, ...] = Field((), description="as said, severity included: `penicillin (anaphylaxis)`")
    medicines: tuple[str, ...] = Field((), description="names as said; doses may stand with them")
    conditions: tuple[str, ...] = ()
    egfr: float | None = Field(None, ge=0, le=250, description="mL/min/1.73 m²")
    creatinine_umol_l: float | None = Field(None, ge=5, le=5000)

    def merged(self, other: "Profile") -> "Profile":
        """These facts, what they leave open from the other; of allergies, medicines and conditions, all."""
        facts: dict[str, Any] = {}
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, tuple):
                facts[name] = tuple(dict.fromkeys([*mine, *theirs]))
            else:
                facts[name] = theirs if mine is None else mine
        return Profile(**facts)

    def less(self, other: "Profile") -> "Profile":
        """These facts without those that the other has too."""
        facts: dict[str, Any] = {}
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, tuple):
                facts[name] = tuple(one for one in mine if one not in theirs)
            elif mine != theirs:
                facts[name] = mine
        return Profile(**facts)
