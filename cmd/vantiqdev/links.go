package main

import (
	"os"
	"path/filepath"
)

// onTheWay returns the directories in which a file and the symbolic links to it are.
func onTheWay(file string) (directories []string) {
	const mostLinks = 40 // as many as Linux follows
	for range mostLinks {
		link, rest, found := firstLink(file)
		if !found {
			break
		}
		directories = append(directories, filepath.Dir(link))
		target, err := os.Readlink(link)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		file = filepath.Join(target, rest)
	}
	return append(directories, filepath.Dir(file))
}

// firstLink returns the first part of a path that is a symbolic link, and what comes behind it.
func firstLink(file string) (link, rest string, found bool) {
	if parent := filepath.Dir(file); parent != file {
		if link, rest, found := firstLink(parent); found {
			return link, filepath.Join(rest, filepath.Base(file)), true
		}
	}
	info, err := os.Lstat(file)
	return file, "", err == nil && info.Mode()&os.ModeSymlink != 0
}
