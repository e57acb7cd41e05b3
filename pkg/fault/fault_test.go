package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestClassAndHintSurviveWrapping(t *testing.T) {
	root := errors.New("WRONGPASS")
	inner := fault.New(fault.Refused, root, "check the password")
	err := fmt.Errorf("open Redis: %w", inner)
	if fault.ClassOf(err) != fault.Refused || fault.HintOf(err) != "check the password" || !errors.Is(err, root) {
		t.Errorf("got %v, %q", fault.ClassOf(err), fault.HintOf(err))
	}
	outer := fault.New(fault.Unreachable, err, "")
	if fault.ClassOf(outer) != fault.Unreachable {
		t.Errorf("the nearest class is %v", fault.ClassOf(outer))
	}
	if fault.HintOf(outer) != "check the password" {
		t.Errorf("an empty hint hides the one below: %q", fault.HintOf(outer))
	}
}

func TestUnclassedIsInternal(t *testing.T) {
	if fault.ClassOf(errors.New("x")) != fault.Internal || fault.HintOf(nil) != "" || fault.New(fault.Data, nil, "h") != nil {
		t.Error("an unclassed error, or none, is not treated as such")
	}
}
