"""All settings of Primum, and the only place that reads the environment."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from primum.graph.errors import BadInput

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "PRIMUM_"
SECRETS = Path("/run/secrets")  # where Docker, Podman and the chart put a file for each secret: primum_database_url

Port = Annotated[int, Field(ge=1, le=65535)]
T = TypeVar("T")


def _split(at: str) -> BeforeValidator:
    """Parts of a text, those that are not empty."""
    return BeforeValidator(
        lambda given: [one.strip() for one in given.split(at) if one.strip()] if isinstance(given, str) else given
    )


CommaList = Annotated[tuple[T, ...], NoDecode, _split(",")]  # one, two
Lines = Annotated[tuple[T, ...], NoDecode, _split("\n")]  # one a line
Domain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Origin = Annotated[str, Field(pattern=r"^https?://[^/\s,*]+$")]
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
File = Folder


class Settings(BaseSettings):
    """Every setting is the environment variable `PRIMUM_<NAME>`, a line of `.env`, or a file in SECRETS."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
    )

    home: Folder = Field(Path("~/.primum"), description="Folder of the embedded database, model and logs.")

    database_url: SecretStr | None = Field(
        None, description="postgresql://… of a Postgres with pgvector ≥ 0.8. Unset: the embedded one."
    )
    database_replica_url: SecretStr | None = Field(
        None, description="postgresql://… of a streaming replica, which library searches read. Unset: none."
    )
    database_pool: int = Field(10, ge=2, le=200, description="Connections that one process keeps at most.")

    secret: SecretStr | None = Field(
        None,
        description="Key of checkpoints, audit and receipts: 32 random characters or more, the same for all that share "
        "a database. Unset: made once, in PRIMUM_HOME.",
    )
    secret_before: Lines[SecretStr] = Field(
        (),
        description="Secrets that came before PRIMUM_SECRET, a line each, while `primum secret rotate` changes over.",
    )
    tenant: str = Field(
        "main", pattern=r"^[!-~]{1,128}$", description="Whose patients these are: a clinic, a service. Kept apart."
    )

    model_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="OpenAI-compatible endpoint, for example http://gpu1:8000/v1. Unset: the embedded model.",
    )
    model_key: SecretStr = Field(SecretStr("none"), description="Its API key.")
    model_name: str = Field(
        "primum", description="Model, or LoRA adapter, that writes, unless `primum adapters use` says otherwise."
    )
    critic_model: str | None = Field(None, description="Model that audits. Unset: the writer's.")
    router_model: str | None = Field(None, description="Model that routes and rewrites. Unset: the writer's.")
    hub_token: SecretStr | None = Field(None, description="That may write, for `primum finetune export --hub`.")
    hub_url: str | None = Field(
        None, pattern=r"^https?://", description="Of a hub of one's own. Unset: Hugging Face's."
    )

    speech_model: str | None = Field(
        None,
        description="Model of the endpoint that writes down recordings: openai/whisper-large-v3. Unset: none.",
    )
    picture_model: str | None = Field(
        None, description="Model of the endpoint that tells what a picture shows, such as a Qwen3-VL. Unset: none."
    )
    senses_url: str | None = Field(
        None, pattern=r"^https?://", description="OpenAI-compatible endpoint of these two. Unset: PRIMUM_MODEL_URL."
    )

    judge_key: SecretStr | None = Field(None, description="API key for `primum eval rubric --judge-url`. Unset: none.")

    embedder: str = Field(
        "minilm",
        description="`minilm` (packaged), or the folder or hub name of a FlagEmbedding model such as BAAI/bge-m3.",
    )
    embedder_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="OpenAI-compatible endpoint that serves the embedder by that name. Unset: it is loaded here.",
    )
    embedder_key: SecretStr = Field(SecretStr("none"), description="Its API key.")
    reranker: str | None = Field(
        None,
        description="Folder or hub name of a FlagEmbedding reranker such as BAAI/bge-reranker-v2-m3; `m3:BAAI/bge-m3` "
        "ranks by all scores of BGE-M3. Unset: none.",
    )

    watch: CommaList[Folder] = Field(
        (), description="Folders, with commas, that the server keeps the library like: read, changed and removed."
    )

    region: str = Field(
        "INT",
        pattern=r"^[A-Za-z]{2,3}$",
        description="Country (ISO code such as US, GB, CN; EU, INT) whose emergency numbers are told.",
    )

    literature: CommaList[Literal["pubmed", "europepmc", "medlineplus", "openfda", "ctgov", "web"]] = Field(
        (),
        description="Services that may be asked: pubmed, europepmc, medlineplus, openfda, ctgov, web, with commas. "
        "Unset: none, and nothing leaves the house. What leaves is medical words alone.",
    )
    ncbi_key: SecretStr | None = Field(None, description="API key of NCBI: ten requests to PubMed a second, not three.")
    openfda_key: SecretStr | None = Field(None, description="API key of openFDA: 120,000 requests a day, not 1,000.")
    contact: str = Field(
        "",
        pattern=r"^$|^[^@\s,]+@[^@\s,]+$",
        description="E-mail address at which NCBI reaches who runs this, told with each request to PubMed.",
    )
    web_domains: CommaList[Domain] = Field(
        (
            *("who.int", "nih.gov", "cdc.gov", "fda.gov", "medlineplus.gov", "ahrq.gov", "cancer.gov", "nhs.uk"),
            *("nice.org.uk", "sign.ac.uk", "gov.uk", "ema.europa.eu", "ecdc.europa.eu", "rki.de", "awmf.org"),
            *("gesundheitsinformation.de", "has-sante.fr", "cochrane.org", "cochranelibrary.com", "canada.ca"),
            *("health.gov.au", "healthdirect.gov.au", "tga.gov.au"),
        ),
        description="Sites of which `web` reads pages, with all below them, with commas.",
    )
    literature_timeout: float = Field(8, ge=0.5, le=60, description="Seconds that all services together may take.")
    literature_days: float = Field(7, gt=0, le=365, description="Days for which a service's answer is kept.")

    interactions: Folder | None = Field(
        None,
        description="Folder of imported interaction tables, asked as well. Unset: `interactions` in PRIMUM_HOME.",
    )

    terms: Folder | None = Field(
        None,
        description="Folder of imported medical terms, used as well. Unset: `terms` in PRIMUM_HOME.",
    )

    sign_off: Literal["never", "patients"] = Field(
        "never",
        description="`patients`: an answer to a patient waits until a clinician lets it out; no emergency does.",
    )
    when_busy: Literal["refuse", "queue"] = Field(
        "refuse", description="A question while the thread's last is being answered: refused (409), or queued."
    )
    turn_timeout: float = Field(120, ge=1, le=3600, description="Seconds that one turn may take.")
    max_revisions: int = Field(2, ge=0, le=5, description="Times that a draft may be refined.")
    max_words: int = Field(200, ge=20, le=2000, description="Words of an answer, unless a request says more.")
    passages: int = Field(8, ge=1, le=20, description="Passages that a draft may rest on.")
    search_rounds: int = Field(
        1, ge=1, le=4, description="Searches of a turn: after one that found too little, the model thinks of others."
    )
    model_tools: bool = Field(
        False, description="Whether the served model can call tools (vLLM: --enable-auto-tool-choice)."
    )
    max_tool_calls: int = Field(4, ge=1, le=20, description="Calls of tools that the model may make in a turn.")
    history_turns: int = Field(6, ge=0, le=50, description="Earlier turns that the model sees word for word.")

    summarise_after: int = Field(
        1500, ge=200, le=100_000, description="Tokens of a thread that are kept word for word before it is summarised."
    )
    keep_days: int | None = Field(
        None, ge=1, description="Days after which a thread nobody used goes, and a patient without any. Unset: never."
    )

    learn_without_chart: bool = Field(
        False,
        description="Whether drafts are kept for training of those, too, who were not asked and have no chart. Of "
        "others they are kept with consent alone: `primum consent`.",
    )

    auth: Literal["required", "open"] | None = Field(
        None,
        description="`required`: who asks shows an API key or a token. `open`: whoever reaches the API may do all. "
        "Unset: open, as long as it listens on this machine alone.",
    )
    oidc_issuer: str | None = Field(
        None, pattern=r"^https://", description="Whose OpenID Connect tokens are taken, beside API keys. Unset: none."
    )
    oidc_audience: str = Field("primum", description="What a token names as whom it is for.")
    oidc_role_claim: str = Field(
        "roles", description="Claim with patient, clinician or admin in it; dots lead into what is nested."
    )
    oidc_patient_claim: str = Field("sub", description="Claim that names the patient of a token with that role.")
    oidc_tenant_claim: str | None = Field(None, description="Claim that names the tenant. Unset: PRIMUM_TENANT.")
    api_rate: int | None = Field(
        None, ge=1, description="Requests a minute of one key or token at most. Unset: 120, and no limit if open."
    )

    api_host: str = Field("127.0.0.1", description="Address that the HTTP API listens on.")
    api_port: Port = 8400
    model_port: Port = 8401
    page_port: Port = 8501
    page_login: File | None = Field(
        None,
        description="TOML file with a section [auth] as Streamlit's st.login takes it: the page signs people in with "
        "the login of PRIMUM_OIDC_ISSUER. Unset: with API keys alone.",
    )
    worker_port: Port = 8402
    work: bool = Field(
        True,
        description="Whether the API also does what comes after the reply, and follows PRIMUM_WATCH. `false` where "
        "`primum serve worker` does.",
    )
    allowed_hosts: list[str] = Field(
        ["127.0.0.1", "localhost", "[::1]", "testserver"],
        description="Host headers that the API accepts (a guard against DNS rebinding).",
    )
    allowed_origins: CommaList[Origin] = Field(
        (), description="Origins, with commas, whose pages may call /mcp from a browser: https://chat.example.org."
    )
    otlp_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="OpenTelemetry collector that traces go to by OTLP over HTTP, for example http://otel:4318: names, "
        "times and token counts alone. Unset: none. Needs `primum[telemetry]`.",
    )
    langsmith: bool = Field(
        False,
        description="Whether traces without inputs and outputs go to LangSmith, where LANGSMITH_ENDPOINT and "
        "LANGSMITH_API_KEY say. Unset: none do, whatever LANGSMITH_TRACING says.",
    )
    ready_without_model: bool = Field(
        True, description="Whether /health/ready says yes while the model is away, and answers are evidence only."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def secrets(self) -> tuple[str, ...]:
        """PRIMUM_SECRET and those before it; none if they are PRIMUM_HOME's."""
        given = () if self.secret is None else (self.secret, *self.secret_before)
        return tuple(one.get_secret_value() for one in given)

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.home / "cache"

    @property
    def interaction_tables(self) -> Path:
        """Where `primum interactions import` puts tables."""
        return self.interactions or self.home / "interactions"

    @property
    def term_tables(self) -> Path:
        """Where `primum terms import` puts tables."""
        return self.terms or self.home / "terms"

    @model_validator(mode="after")
    def _before_what(self) -> Self:
        if self.secret_before and self.secret is None:
            raise ValueError("PRIMUM_SECRET_BEFORE is for what came before PRIMUM_SECRET: set that one too")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As ever; but a name that begins as ours and is no setting's is a slip. Raises BadInput."""
        known = {f"{PREFIX}{name}".upper() for name in settings_cls.model_fields}
        places: dict[str, Iterable[str]] = {"": os.environ}
        if isinstance(dotenv_settings, DotEnvSettingsSource):
            places["A line of .env: "] = [name.upper() for name in dotenv_settings.env_vars]
        if isinstance(file_secret_settings, SecretsSettingsSource) and file_secret_settings.secrets_dir is not None:
            folder = Path(str(file_secret_settings.secrets_dir))
            files = list(folder.iterdir()) if folder.is_dir() else []
            places[f"A file in {folder}: "] = [path.name.upper() for path in files]
        for place, names in places.items():
            for name in sorted(names):
                if name.startswith(PREFIX) and name not in known:
                    near = difflib.get_close_matches(name, known, n=1)
                    said = f"{place}{name} is not a setting"
                    raise BadInput(said + (f"; did you mean {near[0]}?" if near else ""))
        return (init_settings, env_settings, dotenv_settings, file_secret_settings)


def launched() -> tuple[int, int]:
    """This process's number among those of a launcher (accelerate, torchrun), from 0, and how many they are."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def read_settings(**given: object) -> Settings:
    """The settings of the environment, those in `given` first.

    Raises:
        BadInput: a value is wrong; the text names the environment variable.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise BadInput("\n".join(_fault(one) for one in error.errors(include_input=False, include_url=False))) from None


def _fault(found: "ErrorDetails") -> str:
    """What is wrong, after the environment variable; what pydantic puts before a validator's own words is left out."""
    said = found["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(found['loc'][0]).upper()}: {said}" if found["loc"] else said
