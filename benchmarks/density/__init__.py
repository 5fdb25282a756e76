"""Density estimation: does a model of flowkit learn as well as the same model of nflows, zuko and normflows?"""
