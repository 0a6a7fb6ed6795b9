"""Do the tests notice a changed gate?"""
