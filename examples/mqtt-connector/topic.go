package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	sharePrefix  = "$share/"
	maxTopicSize = 65535 // bytes
)

// checkTopic returns what keeps a topic from being published to.
func checkTopic(topic string) error {
	switch {
	case topic == "":
		return errors.New("the topic is empty")
	case strings.ContainsAny(topic, "+#"):
		return fmt.Errorf("%q has a wildcard, and a message goes to one topic; leave + and # out", topic)
	}
	return checkText(topic)
}

// checkFilter returns what keeps a topic filter from being subscribed to.
func checkFilter(filter string) error {
	if unshared(filter) == "" {
		return errors.New("the topic filter is empty")
	}
	levels := strings.Split(unshared(filter), "/")
	for i, level := range levels {
		if strings.ContainsAny(level, "+#") && level != "+" && (level != "#" || i < len(levels)-1) {
			return fmt.Errorf("%q has a wildcard in the wrong place: + takes a whole level, # all levels at the end", filter)
		}
	}
	return checkText(filter)
}

func checkText(topic string) error {
	if !utf8.ValidString(topic) || strings.ContainsRune(topic, 0) || len(topic) > maxTopicSize {
		return fmt.Errorf("%.100q is not UTF-8 text without null characters, of at most %d bytes", topic, maxTopicSize)
	}
	return nil
}

// unshared returns the topic filter of a shared subscription, and any other as it is.
func unshared(filter string) string {
	if rest, shared := strings.CutPrefix(filter, sharePrefix); shared {
		_, filter, _ = strings.Cut(rest, "/")
	}
	return filter
}

// matches reports whether a topic is one of a topic filter's.
func matches(filter, topic string) bool {
	filters, levels := strings.Split(unshared(filter), "/"), strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && (filters[0] == "+" || filters[0] == "#") {
		return false // what begins with $ is the broker's own, and has to be asked for by name
	}
	for i, level := range filters {
		switch {
		case level == "#":
			return true
		case i == len(levels) || level != "+" && level != levels[i]:
			return false
		}
	}
	return len(filters) == len(levels)
}
