"""The one place where an exception becomes words: what, which value, and the remedy."""

from dataclasses import fields

from app.errors import (
    BadMessage,
    BadTicket,
    NotPlaying,
    PortBusy,
    StillLoading,
    UnknownScene,
    UploadTooLarge,
    WorldFull,
)
from model import (
    BadImage,
    BadPoses,
    BadSetting,
    BadWeights,
    MissingWeights,
    RolloutClosed,
    UnknownWorld,
    WorldError,
)

# One row a kind; the braces name its fields.
WORDS: dict[type[WorldError], str] = {
    UnknownWorld: "There is no world “{name}”. Choose one of: {known}.",
    MissingWeights: (
        "The weights of the world “{world}” are not at {path}. "
        "Put them there, or name their folder with --weights."
    ),
    BadWeights: (
        "The weights do not fit the world “{world}”: {problems}. "
        "Use the files that belong to this version of the world."
    ),
    BadImage: "This picture cannot start a world: {reason}. Choose a PNG, JPEG or WebP file.",
    BadPoses: "These camera poses cannot be followed: {reason}.",
    BadSetting: "The setting {name} cannot be {value}: {remedy}.",
    RolloutClosed: "This world has ended. Press Start to open a new one.",
    BadMessage: "The server did not understand the page: {reason}. Reload the page.",
    BadTicket: "This page's ticket is used or too old. Reload the page.",
    NotPlaying: "There is no open world to {wanted}. Press Start first.",
    StillLoading: "The world is still getting ready. Wait for the bar to fill.",
    WorldFull: (
        "All {players} places are taken. Press Start again when somebody has left, "
        "or start the server with a larger --players."
    ),
    UnknownScene: "The server has no scene or picture “{name}”. Choose it again.",
    UploadTooLarge: "This picture is larger than {limit_mb} MB. Choose a smaller one.",
    PortBusy: (
        "Port {port} of {host} is in use. Stop the program that listens there, "
        "or choose another port with --port."
    ),
}
OUR_FAULT = "Something failed on the server that should not; its log has the details. Press Start."


def explain(error: BaseException) -> str:
    """Say what happened and what to do; anything that is no ``WorldError`` is our own fault."""
    for kind in type(error).__mro__:
        if kind in WORDS and isinstance(error, WorldError):
            return WORDS[kind].format(**_facts(error))
    return OUR_FAULT


def _facts(error: WorldError) -> dict[str, str]:
    """The error's fields as text, several values separated by commas."""
    values = {field.name: getattr(error, field.name) for field in fields(error)}  # type: ignore[arg-type]
    return {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
