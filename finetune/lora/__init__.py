"""LoRA adapters: trained in an environment of their own, converted to GGUF, proved equal before anything serves them."""
