"""Which language a text is in: what it says itself, else its script, else its function words."""

import re
from collections import Counter

_SAMPLE = 5_000  # characters
_NAMES = {"english": "en", "spanish": "es", "chinese": "zh", "french": "fr", "german": "de", "portuguese": "pt"} | {
    "eng": "en", "spa": "es", "zho": "zh", "chi": "zh", "fra": "fr", "fre": "fr", "deu": "de", "ger": "de", "por": "pt",
    "ita": "it", "jpn": "ja", "kor": "ko", "rus": "ru", "ara": "ar",
}  # fmt: skip
_KANA, _HANGUL = re.compile("[\u3040-\u30ff]"), re.compile("[\uac00-\ud7af]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
# Words that hold sentences together; one that two languages share counts for both.
_FUNCTION_WORDS = {
    "en": "the of and to is are in that with for you your from this be or not may by".split(),
    "es": "el los las del una y con por para su que es al más pero puede son está usted cuando".split(),
    "pt": "os das dos uma com por para seu não é ao mais mas pode são está você quando em".split(),
    "fr": "le les des du une et est avec pour dans vous votre qui sur ne pas peut sont au aux".split(),
    "de": "der die das und ist mit von für nicht ein eine sie bei oder werden kann auf zu im den".split(),
    "it": "il gli della di e è con per una che non si può sono nel alla dei le più anche".split(),
}
_LEAST = 3  # function words from which on a text is taken to be in a language


def language_of(text: str, named: str = "") -> str:
    """The language's ISO 639-1 code: `named` if that is one (also `en-US`, `spa`, `Spanish`), else guessed; else en."""
    code = named.strip().lower().replace("_", "-").partition("-")[0]
    code = _NAMES.get(code, code)
    if re.fullmatch("[a-z]{2}", code):
        return code
    sample = text[:_SAMPLE]
    return _by_script(sample) or _by_words(sample) or "en"


def _by_script(sample: str) -> str:
    letters = len(_LETTER.findall(sample))
    if len(_KANA.findall(sample)) * 10 > letters:
        return "ja"
    if len(_HANGUL.findall(sample)) * 3 > letters:
        return "ko"
    # A character says as much as half a word, so that a Chinese page with many English names is still Chinese.
    return "zh" if len(_HAN.findall(sample)) * 5 > letters else ""


def _by_words(sample: str) -> str:
    counts = Counter(_WORD.findall(sample.lower()))
    found = {code: sum(counts[word] for word in words) for code, words in _FUNCTION_WORDS.items()}
    best = max(found, key=lambda code: found[code])
    return best if found[best] >= _LEAST else ""
