"""GGUF files. `file.GgufFile` is the reader, `writer` writes them."""
