"""The letters ladder: A to J in grey images of many fonts, from a mean image to convolutional nets, all measured alike."""
