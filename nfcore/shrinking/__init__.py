"""The smallest package that loses next to nothing: precisions and bits for each layer, chosen by measurement."""
