using Tmem.Ctl.Swap;
using Xunit;

namespace Tmem.Ctl.Tests;

public sealed class StepRunnerTests
{
    private readonly List<string> _log = [];

    [Fact]
    public void All_done_is_null_and_undoes_nothing()
    {
        Assert.Null(StepRunner.Run([Good("a"), Good("b")]));
        Assert.Equal(["a", "b"], _log);
    }

    [Fact]
    public void A_failure_undoes_what_was_done_in_reverse_order()
    {
        var failure = StepRunner.Run([Good("a"), new Step("plain", () => null), Good("b"),
            new Step("bad", () => "no", () => throw new InvalidOperationException("never done")), Good("c")]);
        Assert.Equal(("bad", "no"), (failure!.Step, failure.Reason));
        Assert.Equal(["a", "b", "undo b", "undo a"], _log);
        Assert.Empty(failure.NotUndone);
    }

    [Fact]
    public void What_cannot_be_undone_is_told_and_the_rest_still_undone()
    {
        var failure = StepRunner.Run([Good("a"), new Step("sticky", () => null, () => "stuck"), new Step("bad", () => "no")]);
        Assert.Equal("sticky (stuck)", Assert.Single(failure!.NotUndone));
        Assert.Equal(["a", "undo a"], _log);
    }

    [Fact]
    public void An_exception_is_a_failed_step_on_the_way_there_and_back()
    {
        var failure = StepRunner.Run([Good("a"), new Step("thrower", () => null, () => throw new IOException("gone")),
            new Step("bad", () => throw new IOException("broken"))]);
        Assert.Equal(("bad", "broken"), (failure!.Step, failure.Reason));
        Assert.Equal("thrower (gone)", Assert.Single(failure.NotUndone));
        Assert.Equal(["a", "undo a"], _log);
    }

    [Fact]
    public void An_interruption_is_a_failure_before_the_next_step()
    {
        var failure = StepRunner.Run([Good("a"), Good("b")], () => _log.Count == 1);
        Assert.Equal(("b", "interrupted"), (failure!.Step, failure.Reason));
        Assert.Equal(["a", "undo a"], _log);
    }

    private Step Good(string name) => new(name, () => Note(name), () => Note("undo " + name));

    private string? Note(string text)
    {
        _log.Add(text);
        return null;
    }
}
