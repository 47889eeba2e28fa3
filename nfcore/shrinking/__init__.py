"""The smallest package within a loss of quality: measures precisions, also mixed by layer, and chooses one."""
