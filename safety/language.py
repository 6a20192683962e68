"""Which of our languages a text is in, told by its script and by words that people use in one of them: cheap.

What English and Spanish write alike ("a", "me", "no", "he", "son") tells neither.
"""

import re
import unicodedata
from typing import Literal

Language = Literal["en", "zh", "es"]

HAN = re.compile(r"[㐀-䶿一-鿿]")
_KANA = re.compile(r"[぀-ヿ]")
_WORD = re.compile(r"\b[^\W\d_]+")  # "5yo" has none
_MARKED = re.compile(r"[¿¡ñáíóú]", re.IGNORECASE)
# Small words, which say nothing to search for.
SPANISH = frozenset(
    "a al algo ahora antes así aunque cada casi como cómo con cual cuál cuáles cuales cuando cuándo cuanto de debe "
    "debo deben del desde después donde dónde durante e el él ella ellos en entre era eres es esa ese eso esos esta "
    "está están estar este esto estos estoy fue ha haber hace hacer hacia han hasta hay he hoy la las le les lo los "
    "más me mejor mi mis mucha muchas mucho muchos muy nada ni no nos o otra otro para pero poco por porque pueda "
    "puede pueden puedo pues que qué quién quiero se sé según ser si sí siempre sin sirve sobre solo sólo son soy "
    "su sus también tan tanto te tengo tiene tienen tener toda todas todo todos tu un una unas uno unos usted va "
    "vez y ya yo tomo toma tomar dar doy dice dijo deja hago haga entonces mientras normalmente parece significa "
    "cuanta años año mes meses día días semana semanas hora horas noche mañana ayer favor gracias hola".split()
)
# Further words that tell a language, without accents.
_SPANISH_TOO = frozenset(
    "quienes cuantos cuantas aqui alli ademas aun nunca jamas tampoco nadie alguien alguno alguna algun ningun ninguna "
    "ninguno mismo misma mios mia nuestra nuestro ellas nosotros ustedes esas estas aquel aquella tras contra bajo "
    "eran estaba estaban estuve estamos somos fueron sean sera seria habia hubo hemos tenia tuve tuvo tenemos hacen "
    "hizo hice haciendo puedes podria podemos quiere quieren quieres queria quisiera necesito necesita debes deberia "
    "siento siente sentir sabe saber saben digame diga cuentame dame deme darme muestrame ensename explica explicame "
    "explique escribe escribeme traduce ayuda ayudame ayudeme ayudar llama llamar hablar habla comer comio bebe beber "
    "bebio dormir duermo duerme respira respirar duele duelen dolor dolores sangra sangrado sangrando sangre vomita "
    "vomitos vomitar vomitando mareo mareado mareada tos fiebre gripe resfriado cabeza pecho espalda barriga estomago "
    "vientre pierna piernas brazo brazos mano manos ojo ojos oido garganta piel cara lengua corazon rinon rinones "
    "higado pulmon pulmones hueso boca nariz cuello rodilla embarazo embarazada embarazadas lactancia nino nina ninos "
    "ninas hijo hija hijos hijas madre padre hermano hermana abuela abuelo esposo esposa marido mujer hombre enfermo "
    "enferma enfermedad enfermedades sintoma sintomas tratamiento tratar trata causas efectos dosis medicina medicinas "
    "medicamento medicamentos pastilla pastillas jarabe vacuna vacunas alergia alergias alergico alergica presion "
    "azucar peligroso peligrosa seguro segura morir muero muerte muerto muerta vivir vida matar matarme suicidarme "
    "suicidio hacerme dano cortarme acabar desaparecer intento trago tomado tomando tome tomaba golpe golpeo cayo cai "
    "caida quemo quemadura picadura mordio herida hinchado hinchada desmayo desmaye convulsion convulsiones "
    "convulsionando inconsciente responde despierta mueve orinar fuerte fuerza bien peor mejora mejorar repente "
    "minutos tarde veces nueva nuevo buenos buenas buena bueno adios claro perdon cosa cosas gente casa agua leche "
    "olvida olvide borra borre elimina elimine recuerdas recuerda conoces sabes entiendo respuesta pregunta preguntas "
    "poema chiste consejo consejos peligro urgencia urgencias medico tienes hombro sudo "
    "sudando tiemblo temblando voces sobredosis envenenado violaron".split()
)
_ENGLISH = frozenset(
    "the of and is are was were be been being am i im ive my mine myself you your yours we our us it its she they them "
    "their his her him hers this that these those what which who whom whose when where why how to for in on at by from "
    "with without about into over after before under between through during since until while if or but so because "
    "than then as an any all some every each both many much more most less other another such same only just also too "
    "very really quite still again ever never always often now here there up down out off not don dont doesn didn can "
    "cant cannot won isn aren wasn couldn wouldn shouldn do does did done doing have had having could should would "
    "will shall may might must get gets got getting give gives gave given giving take takes took taken taking make "
    "makes made making tell tells told say says said show shows know knows think want wants need needs feel feels "
    "feeling help helps let go goes going gone came keep keeps put see ask write read explain describe list call stop "
    "start try used using work works look find happen happens happened mean means treat treated treats treatment eat "
    "drink sleep breathe breathing bleed bleeding hurt hurts ache headache pain painful sick ill fever cough cold flu "
    "rash blood heart chest head stomach belly back leg arm hand foot eye ear skin throat neck knee pregnant pregnancy "
    "breastfeeding child children baby kid kids daughter mother mom mum father dad wife husband friend man woman old "
    "year years month months week weeks day days hour hours minute minutes today tomorrow yesterday night morning "
    "medicine medicines medication medications drug drugs pill pills tablet tablets dose side effects symptoms symptom "
    "signs causes disease allergy allergic safe dangerous risk risks die dying dead death live living life kill "
    "suicide thanks thank please hello hi hey yes ok okay sure sorry good bad well better worse great best high low "
    "new first last long one two three joke poem story tip tips hint thing things something anything nothing someone "
    "people way lot like love forget remember delete remove everything else further question answer".split()
)
_BOTH = frozenset(
    "a e o y me no he has son sin once come van vale mate sea era fin tan real hay dice solo pie pies red use".split()
)


def _folded(word: str) -> str:
    """Without accents."""
    if word.isascii():
        return word
    return "".join(mark for mark in unicodedata.normalize("NFD", word) if not unicodedata.combining(mark))


_SPANISH = (frozenset(map(_folded, SPANISH)) | _SPANISH_TOO) - _BOTH


def detect(text: str, *before: str) -> Language:
    """The language of a text; of one that tells none ("no", "metformin") of the last before it that does, else English.

    Chinese has as many Chinese characters as Latin words. Spanish has more of its words than English has, or as many
    and a letter of its own. Words in capitals among others are abbreviations: MI is no Spanish "mi".
    """
    return next(filter(None, map(_told, (text, *reversed(before)))), "en")


def _told(text: str) -> Language | None:
    words = _WORD.findall(HAN.sub(" ", text))
    chinese = len(HAN.findall(text))
    if chinese and chinese >= len(words) and not _KANA.search(text):
        return "zh"
    shouted = not any(word.islower() for word in words)
    told = [_folded(word.lower()) for word in words if shouted or len(word) == 1 or not word.isupper()]
    spanish, english = (sum(word in known for word in told) for known in (_SPANISH, _ENGLISH))
    if spanish == english:
        return "es" if _MARKED.search(text) else "en" if english else None
    return "es" if spanish > english else "en"
