"""Environment and flags to one frozen value: a flag wins over the environment, that over a default.

Owns the names of settings and what is wrong with a wrong one; opens nothing but the policy file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from server.domain.policy import DEFAULT, Policy
from server.errors import SetupError

PREFIX = "SUBROSA_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a process is started with."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8000
    data: Path = Path("data")
    database: str = ""
    redis: str = ""
    redis_prefix: str = "subrosa:"
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    demo: bool = False
    policy_file: str = ""
    origins: tuple[str, ...] = ()
    rate_limits: bool = True
    signing_key: str = ""
    admin_key: str = ""
    token_public_key: str = ""
    log_level: str = "info"
    policy: Policy = DEFAULT


# Every setting's variable, with what it says; the operations page lists the same.
VARIABLES = {
    "host": "SUBROSA_HOST",
    "port": "SUBROSA_PORT",
    "data": "SUBROSA_DATA",
    "database": "SUBROSA_DATABASE",
    "redis": "SUBROSA_REDIS",
    "redis_prefix": "SUBROSA_REDIS_PREFIX",
    "workers": "SUBROSA_WORKERS",
    "demo": "SUBROSA_DEMO",
    "policy_file": "SUBROSA_POLICY",
    "origins": "SUBROSA_ORIGINS",
    "rate_limits": "SUBROSA_RATE_LIMITS",
    "signing_key": "SUBROSA_SIGNING_KEY",
    "admin_key": "SUBROSA_ADMIN_KEY",
    "token_public_key": "SUBROSA_TOKEN_PUBLIC_KEY",
    "log_level": "SUBROSA_LOG_LEVEL",
}
_POSTGRES = ("postgresql://", "postgres://")
_REDIS = ("redis://", "rediss://", "unix://")
_SECRET = {"signing_key", "admin_key"}
_YES = {"1": True, "true": True, "on": True, "yes": True}
_NO = {"0": False, "false": False, "off": False, "no": False}


def load(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """The settings in force. Raises `SetupError` naming what is wrong, never a secret's text.

    `flags` holds those that were given; None counts as not given.
    """
    values: dict[str, Any] = {}
    for name, variable in VARIABLES.items():
        given = flags.get(name)
        if given is not None:
            values[name] = given
        elif environment.get(variable, "") != "":
            values[name] = _parsed(name, variable, environment[variable])
    values["policy"] = _policy(values.get("policy_file", ""))
    try:
        settings = msgspec.convert(values, Settings, strict=True, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise SetupError(f"a setting is wrong: {error}") from None
    _check(settings)
    return settings


def to_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with these settings in it, for a process that has the same."""
    environment = dict(os.environ)
    for name, variable in VARIABLES.items():
        value = getattr(settings, name)
        if isinstance(value, bool):
            value = "on" if value else "off"
        elif isinstance(value, tuple):
            value = ",".join(value)
        environment[variable] = str(value)
    return environment


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if isinstance(value, kind):
        return value
    raise TypeError(f"{kind.__name__} is not {type(value).__name__}")


def _parsed(name: str, variable: str, text: str) -> Any:
    if name in ("port", "workers"):
        try:
            return int(text)
        except ValueError:
            raise SetupError(f"{variable} is not a number: {text}") from None
    if name in ("demo", "rate_limits"):
        word = {**_YES, **_NO}.get(text.lower())
        if word is None:
            raise SetupError(f"{variable} is neither on nor off: {text}")
        return word
    if name == "origins":
        return tuple(part.strip().lower().rstrip("/") for part in text.split(",") if part.strip())
    return text


def _policy(file: str) -> Policy:
    if not file:
        return DEFAULT
    try:
        with Path(file).open("rb") as opened:
            return msgspec.convert(tomllib.load(opened), Policy)
    except OSError as error:
        raise SetupError(f"the policy file {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SetupError(f"the policy file {file} is wrong: {error}") from None


def _check(settings: Settings) -> None:
    loopback = settings.host in ("127.0.0.1", "localhost", "::1")
    if settings.demo and not loopback:
        raise SetupError("--demo lets anybody be anybody: it serves 127.0.0.1, ::1 or localhost")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise SetupError("SUBROSA_LOG_LEVEL is one of debug, info, warning, error")
    if settings.workers > 1 and not (settings.redis and settings.database):
        raise SetupError("more than one worker needs --redis and a --database for them to share")
    if settings.database and not settings.database.startswith(_POSTGRES):
        raise SetupError("--database is a PostgreSQL address: postgresql://user@host/name")
    if settings.redis and not settings.redis.startswith(_REDIS):
        raise SetupError("--redis is an address like redis://host:6379, or rediss:// or unix://")
    for origin in settings.origins:
        if "://" not in origin or origin.count("/") != 2:
            raise SetupError(f"SUBROSA_ORIGINS: {origin} is no origin like https://example.org")
