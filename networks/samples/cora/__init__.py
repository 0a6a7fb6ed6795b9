"""The Cora citation graph: which field is a paper of, by its words and its citations?"""
