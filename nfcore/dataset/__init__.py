"""What a data set holds: as figures, as text, as a picture."""
