"""Mail, as every form of it holds it: one message to its headers and its text, a file of many to its messages."""
