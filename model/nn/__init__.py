"""The networks: causal video DiT, camera conditioner, caches, autoencoders, text encoder."""
