"""Prompts to rows of features: a UMT5 encoder and its tokenizer, both by ``transformers``.

That library takes seconds to import, so it is imported where it is used: what only lists worlds or
reads a trajectory does not wait for it.
"""

import html
from pathlib import Path

import torch
from torch import Tensor, nn

from model.config import TextConfig

MAX_DISTANCE, BUCKETS = 128, 32  # UMT5's relative positions


def build_encoder(config: TextConfig) -> nn.Module:
    """The encoder half of UMT5 (arXiv 2304.09151) at the row's sizes, freshly initialised."""
    from transformers import UMT5Config, UMT5EncoderModel

    return UMT5EncoderModel(
        UMT5Config(
            vocab_size=config.vocab_size,
            d_model=config.dim,
            d_kv=config.head_dim,
            d_ff=config.ffn_dim,
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            relative_attention_num_buckets=BUCKETS,
            relative_attention_max_distance=MAX_DISTANCE,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            pad_token_id=0,
            eos_token_id=1,
        )
    )


def tidy(prompt: str) -> str:
    """What the official cleaning does to a prompt: entities resolved, white space single."""
    return " ".join(html.unescape(html.unescape(prompt)).split())


class TextEncoder:
    """Prompts in, rows ``[B, text_len, dim]`` out, zero beyond each prompt's end."""

    def __init__(self, encoder: nn.Module, tokenizer: Path, text_len: int) -> None:
        from transformers import AutoTokenizer

        self.encoder = encoder
        self.tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        self.text_len = text_len

    def tokens(self, prompts: list[str]) -> Tensor:
        """Token ids ``[B, text_len]``: closed by the end token, padded with 0, cut if too long."""
        batch = self.tokenizer(
            [tidy(prompt) for prompt in prompts],
            padding="max_length",
            max_length=self.text_len,
            truncation=True,
            return_tensors="pt",
        )
        ids: Tensor = batch["input_ids"]
        return ids

    def rows(self, ids_BT: Tensor) -> Tensor:
        """Features of token ids; the padding's own features never reach the DiT."""
        mask = (ids_BT != 0).long()
        hidden: Tensor = self.encoder(input_ids=ids_BT, attention_mask=mask).last_hidden_state
        return hidden * mask[..., None]

    @torch.inference_mode()
    def encode(self, prompt: str, device: torch.device) -> Tensor:
        """One prompt's rows ``[1, text_len, dim]`` float32."""
        return self.rows(self.tokens([prompt]).to(device)).float()
