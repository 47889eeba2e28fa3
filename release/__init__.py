"""How a release is made: versions and addresses, sdists and wheels, their checks, a trial as a newcomer has it."""
