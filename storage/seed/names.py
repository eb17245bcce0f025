"""Names of made-up people, the most frequent first."""

import unicodedata
from collections.abc import Sequence
from itertools import accumulate

_FIRST_NAMES = """
    Maria James Mary Anna John Sofia Robert Michael Emma David William Elena Richard Laura Thomas
    Sarah Daniel Julia Matthew Fatima Anthony Olivia Mark Lucia Paul Nina Steven Clara Andrew Eva
    Joshua Amina Kenneth Alice Kevin Irene Brian Marta George Helena Edward Diana Ronald Ingrid
    Timothy Leila Jason Chloé Jeffrey Priya Ryan Yuki Jacob Aisha Gary Mei Nicholas Noor Eric
    Camila Jonathan Zoë Stephen Astrid Larry Bianca Justin Carmen Scott Dilara Brandon Esther
    Benjamin Freya Samuel Gloria Gregory Hana Frank Inés Alexander Joanna Raymond Karin Patrick
    Lena Jack Maja Dennis Naomi Jerry Paula Tyler Rosa Aaron Selma José Tamara Adam Ursula Nathan
    Vera Henry Wanda Douglas Xenia Peter Yasmin Kyle Zuzana Noah Ada Ethan Bo Jeremy Li Walter Wu
    Björn Łukasz Jürgen Søren Dmitri Hiroshi Kwame Mohammed Omar Rajesh Santiago Thiago Ole Ngozi
"""

_LAST_NAMES = """
    Smith García Johnson Müller Williams Rossi Brown Silva Jones Martin Miller Nguyen Davis Kim
    Rodriguez Novák Martinez Schmidt Hernandez Kowalski Lopez Andersson Gonzalez Hansen Wilson
    Ivanov Anderson Suzuki Thomas Tanaka Taylor Chen Moore Wang Jackson Singh Lee Patel Perez Khan
    Thompson Ali White Ahmed Harris Hassan Sanchez Costa Clark Santos Ramirez Ferrari Lewis Bianchi
    Robinson Dubois Walker Laurent Young Moreau Allen Weber King Fischer Wright Wagner Scott Becker
    Torres Hoffmann Hill Nilsson Flores Larsen Green Berg Adams Dahl Nelson Virtanen Baker Korhonen
    Hall Nagy Rivera Kovács Campbell Popescu Mitchell Horvat Carter Petrov Roberts Sokolov Gomez
    Phillips Demir Evans Cohen Turner Levi Diaz Okafor Parker Mensah Cruz Diallo Edwards
    Mbeki Collins Sato Reyes Park Stewart Choi Morris Zhang Morales Lin Murphy Tan Cook Lim Rogers
    Wong O'Brien Byrne Jansen Bakker Visser Peeters Maes Janssens Gruber Steiner Moser Papadopoulos
    Fernández Álvarez Jiménez Ruiz Ortega Vargas Castillo Mendoza Quispe Rojas Xu Yu Zhou Łuczak
"""

FIRST_NAMES = tuple(_FIRST_NAMES.split())
LAST_NAMES = tuple(_LAST_NAMES.split())

DOMAINS = ("mail.example", "post.example", "corp.example")

# Letters that do not come apart into a plain one and an accent.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "'": None})


def weights(names: Sequence[str]) -> list[float]:
    """Return cumulative weights: frequent names are as much more frequent as they are in life."""
    return list(accumulate(1 / (rank + 4) for rank in range(len(names))))


def as_local_part(name: str) -> str:
    """Return a name as it stands in an e-mail address: lower case, no accents."""
    plain = unicodedata.normalize("NFKD", name.lower().translate(_PLAIN))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
