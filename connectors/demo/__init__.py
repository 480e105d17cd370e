"""The demonstration project: a seeded generator of a believable retailer; `project.write` is its door."""
