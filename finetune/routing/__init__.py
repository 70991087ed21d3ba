"""The router's training rows: hand-written lines and templates as data, and the generator that joins them."""
