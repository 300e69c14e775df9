"""A pretrained net on this machine: a GGUF file of the Llama family, run by a graph of our own in ONNX Runtime."""
