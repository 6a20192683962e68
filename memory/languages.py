"""The languages that a patient may speak: their codes, and the words by which they are named."""

_NAMED = {
    "en": "English ingles 英语 英文", "es": "Spanish espanol 西班牙语 castellano",
    "zh": "Chinese mandarin chino 中文 普通话 汉语", "yue": "Cantonese", "fr": "French frances", "de": "German",
    "pt": "Portuguese portugues", "ar": "Arabic", "hi": "Hindi", "ru": "Russian", "it": "Italian", "vi": "Vietnamese",
    "ko": "Korean", "ja": "Japanese", "pl": "Polish", "tr": "Turkish", "ur": "Urdu", "bn": "Bengali", "tl": "Tagalog",
    "uk": "Ukrainian", "so": "Somali", "fa": "Farsi",
}  # fmt: skip
CODES = {word.lower(): code for code, words in _NAMED.items() for word in words.split()}


def name_of(code: str) -> str:
    """The English name of a language; the code itself if it has none here."""
    words = _NAMED.get(code.partition("-")[0].lower())
    return words.split()[0] if words else code
