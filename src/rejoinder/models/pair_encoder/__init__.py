"""The pair encoder: what is said and what is answered, by word vectors that came with the package."""
