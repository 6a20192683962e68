"""The language of a question, as the safety rules tell it too."""

from primum.safety.language import Language, detect

__all__ = ["Language", "detect"]
