"""The page: Gradio lays it out; ``player.js`` makes it move, over a socket of our own."""

from html import escape

import gradio as gr
from fastapi import FastAPI
from gradio.events import api

from app.gallery import Gallery
from model import WORLDS

TITLE = "First light"
WORDS = "Walk through a world while a video model invents it, frame by frame."

# Buttons act in the browser alone: a round trip through Gradio's queue would cost frames.
START = "() => { window.world.start(); }"
PROMPT = "(prompt) => { window.world.setPrompt(prompt); }"
PAUSE = "() => { window.world.togglePause(); }"
RESET = "() => { window.world.reset(); }"


def mount_page(app: FastAPI, gallery: Gallery, files: str) -> None:
    """Add the page at ``/``; ``files`` is the path of the scripts and styles, without the slash."""
    gr.mount_gradio_app(
        app,
        build_page(gallery, files),
        path="/",
        theme=_theme(),
        head=f'<link rel="stylesheet" href="{files}/player.css">',
        ssr_mode=False,
        footer_links=["api", "settings"],
    )


def build_page(gallery: Gallery, files: str) -> gr.Blocks:
    """Stage on the left, what one may choose on the right."""
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True)
    with page:
        gr.HTML(f"<header><h1>{TITLE}</h1><p>{WORDS}</p></header>", elem_id="title")
        with gr.Row(equal_height=False, elem_id="room"):
            with gr.Column(scale=4, min_width=320):
                # Never an output of an event: Gradio would morph the canvas away.
                gr.HTML(
                    '<div id="stage"></div>',
                    elem_id="stage-frame",
                    js_on_load=_on_load(files),
                )
                with gr.Row(elem_id="bar"):
                    with gr.Row(elem_id="buttons", scale=0):
                        start = gr.Button("Start", variant="primary", elem_id="start", min_width=86)
                        pause = gr.Button("Pause", elem_id="pause", min_width=86)
                        reset = gr.Button("Reset", elem_id="reset", min_width=86)
                    prompt = gr.Textbox(
                        label="Prompt (Enter changes the world while you walk)",
                        lines=1,
                        max_lines=3,
                        max_length=1000,
                        scale=5,
                        min_width=240,
                        elem_id="prompt",
                    )
                    gr.Number(
                        label="Seed",
                        value=0,
                        precision=0,
                        minimum=0,
                        maximum=2**32 - 1,
                        min_width=90,
                        elem_id="seed",
                    )
            with gr.Column(scale=1, min_width=270):
                gr.HTML(_scene_cards(gallery), elem_id="scenes")
        start.click(None, None, None, js=START)
        prompt.submit(None, [prompt], None, js=PROMPT)
        pause.click(None, None, None, js=PAUSE)
        reset.click(None, None, None, js=RESET)
        api(worlds, api_name="worlds")
    return page


def worlds() -> list[dict[str, str | int]]:
    """The worlds this server knows: name, title, size and frames a second."""
    return [
        {
            "name": world.name,
            "title": world.title,
            "width": world.width,
            "height": world.height,
            "fps": world.fps,
        }
        for world in WORLDS.values()
    ]


def _on_load(files: str) -> str:
    """Import the player from beside the page, whatever prefix it is served under."""
    return f"""
        import(new URL("{files}/player.js", document.baseURI))
            .then((player) => player.mount(element.querySelector("#stage")));
    """


def _scene_cards(gallery: Gallery) -> str:
    """A radio button a scene, its picture as the label, and one for a picture of one's own."""
    cards = "".join(
        f"""<label class="scene">
            <input type="radio" name="scene" value="{escape(scene.name)}"
                data-prompt="{escape(scene.prompt)}" aria-label="{escape(scene.title)}">
            <img src="world/scenes/{escape(scene.image)}" alt="" loading="lazy">
            <span>{escape(scene.title)}</span>
        </label>"""
        for scene in gallery.scenes.values()
    )
    return f"""<fieldset><legend>Begin in</legend><div class="cards">{cards}
        <label class="scene own" id="own-picture">
            <input type="file" accept="image/*" aria-label="A picture of your own">
            <img alt="" hidden><b aria-hidden="true">+</b>
            <span>Your picture</span>
        </label></div></fieldset>"""


def _theme() -> gr.themes.Base:
    """Quiet, with the fonts a machine has: the page asks no other server for anything."""
    return gr.themes.Default(
        primary_hue="teal",
        neutral_hue="slate",
        font=["ui-sans-serif", "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
