"""What a student learns from: photos, pseudo views that the teacher renders, and crops of both."""
