"""Who may import whom: arrows point down, and some libraries belong to one room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import model

pytestmark = pytest.mark.cpu

ROOT = Path(model.__file__).parent.parent

# From top to bottom. A name stands for a module or for a package with all its modules, whose own
# imports of each other are not looked at.
LAYERS = (
    ("launch", "model.training"),
    ("app.server", "app.doctor"),
    ("app.transport", "app.ui", "app.bench", "app.catalogue"),
    ("app.registry", "app.machine", "app.worlds"),
    ("app.session",),
    ("app.walk",),
    ("app.play", "app.gallery"),
    ("app.inbox", "app.outbox"),
    ("app.controls", "app.protocol", "app.messages"),
    ("app.settings", "app.errors", "app.metrics", "app.pacing"),
    ("model",),
    ("model.loading",),
    ("model.local",),
    ("model.engine",),
    ("model.nn", "model.sampling", "model.camera", "model.image"),
    ("model.parallel", "model.config"),
    ("model.errors",),
)
ROOMS = {room: depth for depth, layer in enumerate(LAYERS) for room in layer}

# Library -> where alone it may be imported.
OWNERS = {
    "gradio": ("app.ui",),
    "fastapi": ("app",),
    "uvicorn": ("app",),
    "websockets": ("app",),
    "tyro": ("launch", "model.training"),
    "torch": ("model", "app.bench", "app.machine"),  # the app sees no tensor, it only measures
    "transformers": ("model.nn.text", "model.training"),
    "triton": ("model.training",),
}


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in [ROOT / "launch.py", *ROOT.glob("app/**/*.py"), *ROOT.glob("model/**/*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text())


MODULES = dict(parsed())


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name taken from it or ``""``) of every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str) -> str:
    """The entry of LAYERS a module belongs to; a package's entry covers its modules."""
    rooms = [room for room in ROOMS if inside(module, room) and room != "model"]
    return max(rooms, key=len) if rooms else module


def ours(module: str) -> bool:
    return module.partition(".")[0] in ("launch", "app", "model")


ARROWS = [
    (name, f"{module}.{taken}" if f"{module}.{taken}" in MODULES else module)
    for name, tree in MODULES.items()
    for module, taken in imports(tree)
    if ours(module)
]


def test_every_module_has_its_layer() -> None:
    homeless = set(MODULES) - {"app"}
    assert not {name for name in homeless if room_of(name) not in ROOMS}


def test_imports_point_down() -> None:
    upward = [
        f"{importer} -> {imported}"
        for importer, imported in ARROWS
        if room_of(importer) != room_of(imported)
        and ROOMS[room_of(importer)] >= ROOMS[room_of(imported)]
    ]
    assert not upward


def test_nobody_imports_the_training_room() -> None:
    assert not [
        importer
        for importer, imported in ARROWS
        if inside(imported, "model.training") and not inside(importer, "model.training")
    ]


def test_the_app_knows_only_public_names_of_the_model() -> None:
    private = [
        f"{name}: from {module} import {taken}"
        for name, tree in MODULES.items()
        if inside(name, "app") or name == "launch"
        for module, taken in imports(tree)
        if inside(module, "model") and (module != "model" or taken not in model.__all__)
    ]
    assert not private


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_stays_in_its_room(library: str) -> None:
    strays = [
        name
        for name, tree in MODULES.items()
        for module, _ in imports(tree)
        if inside(module, library) and not any(inside(name, owner) for owner in OWNERS[library])
    ]
    assert not strays
