"""Parts that several programs of one PRIMUM_HOME use at once: who comes first starts one, who leaves last ends it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, ClassVar
from urllib.parse import urlsplit

from primum.server import lock, postgres, process, record
from primum.server.child import PRIMUM, Child
from primum.server.llamacpp import packaged_model
from primum.server.logs import open_log
from primum.server.port import free_port
from primum.server.record import Record, run_folder

Say = Callable[[str], None]


class Shared(ABC):
    """One part. Its users hold a shared lock, which the kernel takes from them also after `kill -9`."""

    name: ClassVar[str]

    def __init__(self, home: Path, say: Say) -> None:
        self.home = home.resolve()  # one spelling, by which a running server is known again
        self.say = say

    def join(self) -> tuple[str, BinaryIO]:
        """Become a user of the part, which is started if it does not run; its address, and what to leave with."""
        place = lock.share(run_folder(self.home) / f"{self.name}.users")
        try:
            return self.ensure(), place
        except BaseException:  # also Ctrl-C: who did not join holds no place
            place.close()
            raise

    def leave(self, place: BinaryIO) -> None:
        """Stop using the part; the last one ends it."""
        with lock.alone(run_folder(self.home) / f"{self.name}.lock"):
            place.close()
            owner = lock.claim(run_folder(self.home) / f"{self.name}.users")
            if owner is not None:
                with owner:
                    self._stop()
                    record.forget(self.home, self.name)

    def ensure(self) -> str:
        """The address of the part, which answers: found running, or started."""
        with lock.alone(run_folder(self.home) / f"{self.name}.lock"):
            return self._start()

    def is_alive(self) -> bool:
        return record.read(self.home, self.name) is not None

    @abstractmethod
    def _start(self) -> str: ...

    @abstractmethod
    def _stop(self) -> None: ...


class LocalPostgres(Shared):
    name = "postgres"

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    def _start(self) -> str:
        if postgres.running(self.data) is None:
            self.say("Starting Postgres" if self.data.exists() else "Making the database")
        with open_log(self.home, self.name) as log:
            pid = postgres.start(self.data, log)
            if not postgres.answers(self.data):
                self._stop()
                pid = postgres.start(self.data, log)
        url = postgres.url(self.data)
        record.write(self.home, self.name, Record.of(pid, url))
        return url

    def _stop(self) -> None:
        postgres.stop(self.data)


class LocalModel(Shared):
    name = "model"

    def __init__(self, home: Path, say: Say, port: int) -> None:
        super().__init__(home, say)
        self.port = port

    def address(self) -> str:
        """Where the server answers, or would: after a crash where it did, since others know it by that."""
        known = record.last(self.home, self.name)
        wanted = (urlsplit(known.url).port if known else None) or self.port
        port = free_port(wanted)
        if port != wanted:
            self.say(f"Port {wanted} is taken: the model server gets {port}.")
        return f"http://127.0.0.1:{port}/v1"

    def _start(self) -> str:
        known = record.read(self.home, self.name)
        if known is not None and self._child(known.url).is_well(patience=15):
            return known.url
        if known is not None:
            process.end(known.pid, known.born)
        packaged_model()
        url = self.address()
        self.say("Starting the model server")
        return self._child(url).ensure()

    def _stop(self) -> None:
        self._child("").stop()

    def _child(self, url: str) -> Child:
        argv = [*PRIMUM, "serve", "model", "--engine", "llamacpp", "--port", str(urlsplit(url).port)]
        return Child(self.home, self.name, argv, url, url.removesuffix("/v1") + "/health")
