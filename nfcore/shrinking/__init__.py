"""The smallest package that loses next to nothing: precisions, also mixed by layer, chosen by measurement."""
