"""The student: a light field, its file, its sizes, its complexity."""
