"""What may be asked: the one check of text that comes from outside."""

from primum.graph.errors import BadInput

MAX_QUESTION = 8_000  # characters; a long clinical case has about 4,000
MAX_NAME = 128


def check_text(text: str, what: str = "question", limit: int = MAX_QUESTION) -> str:
    """The text, trimmed.

    Raises:
        BadInput: it is empty or too long, or holds characters that can't be stored. The text itself is not repeated.
    """
    if len(text) > limit:
        raise BadInput(f"The {what} has {len(text):,} characters; the limit is {limit:,}. Shorten it.")
    for number, character in enumerate(text):
        if "\ud800" <= character <= "\udfff":
            raise BadInput(
                f"The {what} holds half a character (a lone surrogate) at position {number + 1}. Send UTF-8."
            )
        if (character < " " and character not in "\n\r\t") or character == "\x7f":
            raise BadInput(f"The {what} holds a control character (U+{ord(character):04X}) at position {number + 1}.")
    trimmed = text.strip()
    if not any(character.isalnum() for character in trimmed):
        raise BadInput(f"The {what} is empty. Write at least one word.")
    return trimmed


def check_name(name: str, what: str) -> str:
    """An identifier (patient, thread): printable, without blanks, at most 128 characters.

    Raises:
        BadInput: it is not of this form.
    """
    if not 0 < len(name) <= MAX_NAME or not all("!" <= character <= "~" for character in name):
        raise BadInput(f"The {what} must be 1 to {MAX_NAME} printable ASCII characters without blanks.")
    return name
