"""Storms of 2,000 connections at once: all connect, and all receive one fan-out."""
