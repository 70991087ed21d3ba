# What the Python binding does not load is not compiled: it would double the time.
set(LLAMA_BUILD_COMMON OFF)
