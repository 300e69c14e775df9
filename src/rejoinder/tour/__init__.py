"""The tour: from a tensor to the replier in eight chapters that run. The chapters themselves are Markdown, in docs/tour."""
