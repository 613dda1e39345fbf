"""Dead letters: what nobody could deal with is kept, looked through, mended and sent again."""
