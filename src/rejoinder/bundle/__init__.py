"""What ships in the wheel: the embedded archive (`sample.jsonl`), written for this project, CC0."""
